"""One reading of all GPUs of a node, as DCGM has it: boards, their slices, and the pods that have them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mig_fleet.simulator.driver import Gpu, GpuInstance
from mig_fleet.simulator.driver.state import Driver
from mig_fleet.simulator.driver.text import memory_mib
from mig_fleet.simulator.node.allocation import device_id
from mig_fleet.simulator.node.pod import Pod
from mig_fleet.simulator.node.pod_resources import PodDevices
from mig_fleet.simulator.telemetry.activity import IDLE, Load, load

IDLE_WATTS: Final = 70.0
WATTS: Final = {"Ampere": 400.0, "Hopper": 700.0, "Blackwell": 1000.0}
"""Architecture → power limit of its SXM boards (data sheets of A100, H100 and B200)."""
MEMORY_CLOCK_MHZ: Final = {"Ampere": 1593, "Hopper": 2619, "Blackwell": 3996}
"""Architecture → memory clock; invented values of the right size."""
DRIVER_MIB: Final = 13.0
"""Memory that the driver uses on a slice without a pod."""

LoadOf = Callable[[PodDevices], Load]


def loads(pods: Iterable[Pod], now: float) -> LoadOf:
    """The load by each pod at a time in seconds since 1970, with the levels in its annotations."""
    annotations = {f"{pod.namespace}/{pod.name}": pod.annotations for pod in pods}

    def load_of(pod: PodDevices) -> Load:
        name = f"{pod.namespace}/{pod.name}"
        return load(name, annotations.get(name, {}), now)

    return load_of


@dataclass(frozen=True, slots=True)
class Part:
    """A slice, or a whole GPU without MIG: what can belong to a pod."""

    profile: str
    """``1g.10gb+me``; empty for a whole GPU."""
    instance: int
    """NVML's id of the GPU instance, unique within the GPU."""
    compute_share: float
    """Of the GPU, 0 to 1."""
    memory_mib: float
    owner: PodDevices | None
    load: Load
    xid: int | None = None

    @property
    def used_mib(self) -> float:
        return float(round(max(DRIVER_MIB, self.load.memory * self.memory_mib)))


@dataclass(frozen=True, slots=True)
class Board:
    """A GPU with its parts: its slices, or itself."""

    index: int
    uuid: str
    bus: str
    model: str
    """NVML's name of the product."""
    architecture: str
    mig: bool
    max_slices: int
    parts: tuple[Part, ...]

    @property
    def busy(self) -> float:
        """Share of the whole GPU, 0 to 1."""
        return sum(part.load.engine * part.compute_share for part in self.parts)

    @property
    def watts(self) -> float:
        return round(IDLE_WATTS + self.busy * (WATTS.get(self.architecture, 600.0) - IDLE_WATTS), 3)

    @property
    def celsius(self) -> float:
        return float(round(32 + 40 * self.busy))

    @property
    def sm_mhz(self) -> float:
        return float(1755 if self.busy else 345)

    @property
    def memory_mhz(self) -> float:
        return float(MEMORY_CLOCK_MHZ.get(self.architecture, 2000))


@dataclass(frozen=True, slots=True)
class Reading:
    """All GPUs of a node at one moment."""

    node: str
    driver: str
    boards: tuple[Board, ...]


def read(
    node: str, driver: Driver, pods: Iterable[PodDevices], load_of: LoadOf, xids: Mapping[tuple[int, int], int]
) -> Reading:
    """``xids``: (GPU index, id of the GPU instance, 0 without MIG) → the last XID."""
    owners = {device: pod for pod in pods for _, device in pod.devices}
    boards = tuple(_board(gpu, owners, load_of, xids) for gpu in driver.gpus if not gpu.lost)
    return Reading(node, driver.version, boards)


def _board(gpu: Gpu, owners: Mapping[str, PodDevices], load_of: LoadOf, xids: Mapping[tuple[int, int], int]) -> Board:
    def part(instance: GpuInstance | None) -> Part:
        facts = gpu.model.profile(instance.profile) if instance else None
        owner = owners.get(device_id(gpu, instance))
        number = instance.id if instance else 0
        return Part(
            profile=instance.profile if instance else "",
            instance=number,
            compute_share=facts.compute_slices / gpu.model.compute_slices if facts else 1.0,
            memory_mib=float(facts.memory_mib or 0) if facts else float(memory_mib(gpu.model)),
            owner=owner,
            load=load_of(owner) if owner else IDLE,
            xid=xids.get((gpu.index, number)),
        )

    return Board(
        index=gpu.index,
        uuid=gpu.uuid,
        bus=gpu.bus,
        model=gpu.product,
        architecture=gpu.family,
        mig=gpu.mode,
        max_slices=gpu.model.max_gpu_instances if gpu.mode else 0,
        parts=tuple(map(part, gpu.instances if gpu.mode else [None])),
    )
