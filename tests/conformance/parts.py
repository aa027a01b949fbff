"""The parts of the conformance suite: which program each compares with what of ours."""

from dataclasses import dataclass
from typing import Final

from tests.conformance.records import DRA_DRIVER, MIG_MANAGER, MIG_PARTED, NAMES, NODE_FEATURES


@dataclass(frozen=True)
class Part:
    """``family`` is the program's in the toolchain; its pinned version is compared."""

    name: str
    family: str
    program: str
    compared: str


PARTS: Final = (
    Part(
        MIG_PARTED,
        "mig-parted",
        "nvidia-mig-parted",
        "`assert`, `assert --mode-only`, `apply`, `assert`: exit statuses, then mode, pending mode, places, IDs and "
        "compute instances of every GPU",
    ),
    Part(
        MIG_MANAGER,
        "mig-manager",
        "nvidia-mig-manager",
        "one story on one fleet: the labels of state and operands in their order, and the GPUs after each change",
    ),
    Part(
        DRA_DRIVER,
        "dra-plugin",
        "gpu-kubelet-plugin",
        "the ResourceSlice of a node in the API server: name, attributes and capacities of each device, or the error "
        "with which the driver ends",
    ),
    Part(
        NODE_FEATURES,
        "nfd",
        "nfd-worker and nfd-master",
        "the labels of a node in the API server: of its PCI devices, its system, and its GPU model by the rule of "
        "mig-fleet",
    ),
    Part(NAMES, "mig-parted", "nvidia-mig-parted", "`export`: the name of a slice of every profile in the catalog"),
)
