"""Nodes with one PCI device, and the labels that they must get: every device id of the catalog, and what is none."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from mig_fleet.model import gpus, labels
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.driver.gpu import new_gpu
from mig_fleet.simulator.genuine import node_files
from mig_fleet.simulator.operands.node_features import FEATURES

CHART: Final[Mapping[str, Any]] = tomllib.loads(
    files("mig_fleet.model.operator_charts").joinpath("charts.toml").read_text("utf-8")
)["values"]
OF_THE_CHART: Final[Mapping[str, Any]] = CHART["node-feature-discovery.worker.config"]["default"]
OF_THE_WORKER: Final[Mapping[str, Any]] = {}
"""What an installation without the GPU Operator's chart has."""

PREFIX: Final = "feature.node.kubernetes.io/pci-"
NVIDIA: Final = frozenset(key for key in FEATURES if key.startswith(PREFIX))
"""The labels of PCI devices that the simulator's worker sets."""

STARTUP: Final = {"key": labels.STARTUP_TAINT, "effect": "NoSchedule"}


@dataclass(frozen=True, eq=False)
class Case:
    """``gpu`` is the model whose files the node has; ``changed`` are other contents of these files, without ``0x``."""

    name: str
    gpu: str | None
    changed: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    """The GPU model in the label that our rule sets, if it does."""
    devices: frozenset[str] = NVIDIA
    """The labels of PCI devices."""
    config: Mapping[str, Any] = field(default_factory=lambda: OF_THE_CHART)
    taints: tuple[Mapping[str, str], ...] = ()

    def __str__(self) -> str:
        return self.name

    @property
    def system(self) -> dict[str, str]:
        """The labels of kernel and operating system that the simulator's worker sets."""
        return {key: value for key, value in FEATURES.items() if not key.startswith(PREFIX)}

    def write(self, folder: Path) -> None:
        """The files that the worker reads."""
        present = [] if self.gpu is None else [new_gpu(self.name, 0, self.gpu)]
        node_files.write(folder, Driver("580.126.09", 13000, present))
        for device in (folder / node_files.PCI_DEVICES).iterdir():
            for file, value in self.changed.items():
                (device / file).write_text(f"0x{value}\n")


def _of_the_catalog() -> Iterator[Case]:
    """One node for each device id, and one for each board that has a device id of a model and is another one."""
    for model in gpus.all_models():
        for word in model.pci_device_ids:
            device = word[2:6].lower()
            name = f"{model.short}-{device}".lower()
            yield Case(name, model.short, {"device": device}, model.short)
            for board in model.other_boards:
                for subsystem in board.subsystem_devices:
                    other = {"device": device, "subsystem_device": subsystem.lower()}
                    yield Case(f"{name}-{subsystem.lower()}", model.short, other)


CASES: Final = (
    *_of_the_catalog(),
    Case("without-gpu", None, devices=frozenset()),
    Case("gpu-of-no-model", "H100-80GB", {"device": "1eb8"}),
    Case("id-of-another-vendor", "H100-80GB", {"vendor": "1002"}, devices=frozenset({f"{PREFIX}1002.present"})),
    Case("for-graphics", "RTX-PRO-6000", {"class": "030000"}, "RTX-PRO-6000"),
    Case("default-config", "H100-80GB", {}, "H100-80GB", frozenset({f"{PREFIX}0302_10de.present"}), OF_THE_WORKER),
    Case(
        "default-config-for-graphics",
        "RTX-PRO-6000",
        {"class": "030000"},
        "RTX-PRO-6000",
        frozenset({f"{PREFIX}0300_10de.present"}),
        OF_THE_WORKER,
    ),
    Case("tainted", "H100-80GB", {}, "H100-80GB", taints=(STARTUP,)),
)
