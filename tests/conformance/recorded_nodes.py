"""The recorded tables (``recorded/*.json``): what GPU Feature Discovery and the device plugin did on simulated nodes.

The toolchain can build neither of them, because the Go module proxy does not serve their module.

The state of a node is written as it was made: the GPU model, and for each run of equal GPUs their number and their MIG
devices, in the order in which they were created; ``null`` is MIG mode off. ``[[2, {"3g.40gb": 1, "1g.10gb": 2}], [1,
null]]`` are three GPUs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from mig_fleet.model import Strategy
from mig_fleet.model.profiles import Profile
from mig_fleet.model.strategy import PerGpu
from mig_fleet.simulator.driver import Driver, Gpu
from mig_fleet.simulator.driver.gpu import new_gpu

FOLDER: Final = Path(__file__).parent / "recorded"
FEATURE_DISCOVERY: Final = FOLDER / "feature_discovery.json"
DEVICE_PLUGIN: Final = FOLDER / "device_plugin.json"

PREFIX: Final = "nvidia.com/"
"""Of every label and resource; the tables leave it out."""

MACHINE: Final = "a-machine"
"""The machine type of every node."""

Runs = tuple[tuple[int, dict[str, int] | None], ...]


@dataclass(frozen=True)
class State:
    """A node with GPUs of one model."""

    model: str
    runs: Runs

    def __str__(self) -> str:
        return f"{self.model}, {', '.join(f'{each} × {_described(devices)}' for each, devices in self.runs)}"

    @property
    def per_gpu(self) -> PerGpu:
        return [devices for each, devices in self.runs for _ in range(each)]

    @property
    def driver(self) -> Driver:
        """The simulated driver in this state."""
        indices = count()
        gpus: list[Gpu] = []
        for each, devices in self.runs:
            first, *others = (new_gpu("a-node", next(indices), self.model) for _ in range(each))
            if devices is not None:
                _partition(first, devices)
            for gpu in others:
                gpu.mode, gpu.pending, gpu.created = first.mode, first.pending, first.created
                gpu.instances = list(first.instances)
            gpus += [first, *others]
        return Driver("580.126.09", 13000, gpus)


def _described(devices: Mapping[str, int] | None) -> str:
    if devices is None:
        return "MIG off"
    return " + ".join(f"{each} × {name}" for name, each in devices.items()) or "MIG on, no device"


def _partition(gpu: Gpu, devices: Mapping[str, int]) -> None:
    """Create the devices of a GPU; a part goes into the first GPU instance of its profile that has room for it."""
    gpu.set_mode(True)
    for name, number in devices.items():
        profile = Profile.parse(name)
        for _ in range(number):
            room = [it for it in gpu.instances if profile.is_split and it.profile == str(profile.whole)]
            room = [it for it in room if it.free_start(profile.compute, profile.slices) is not None]
            if room:
                gpu.split(room[0].id, profile.compute)
            else:
                gpu.create(str(profile.whole), profile.compute)


class Source(msgspec.Struct, forbid_unknown_fields=True):
    """Where a table comes from; ``run`` are the arguments of the program, ``node`` is what all nodes have in common."""

    program: str
    version: str
    commit: str
    measured: str
    run: str
    node: str


class Group(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Labels with one prefix, ``gpu.`` or ``mig-1g.10gb.``: those of a kind of device, the count and the replicas."""

    device: str
    count: int
    replicas: int


class LabelledNode(msgspec.Struct, forbid_unknown_fields=True):
    """The groups of labels of a node, by prefix, under each strategy."""

    gpus: Runs
    none: dict[str, Group]
    single: dict[str, Group]
    mixed: dict[str, Group]


class LabelledModel(msgspec.Struct, forbid_unknown_fields=True):
    """Nodes with GPUs of one model: the labels that all of them have, and those of each kind of device."""

    labels: dict[str, str]
    devices: dict[str, dict[str, str]]
    nodes: list[LabelledNode]


class LabelTable(msgspec.Struct, forbid_unknown_fields=True):
    """What GPU Feature Discovery wrote: the labels of every node, those of a strategy, and the rest by model."""

    source: Source
    labels: dict[str, str]
    strategies: dict[Strategy, dict[str, str]]
    models: dict[str, LabelledModel]

    @classmethod
    def read(cls) -> "LabelTable":
        return msgspec.json.decode(FEATURE_DISCOVERY.read_bytes(), type=cls)

    def states(self, model: str) -> Iterator[tuple[State, dict[Strategy, dict[str, str]]]]:
        """Each node of a model with all its labels under each strategy."""
        for node in self.models[model].nodes:
            groups = {Strategy.NONE: node.none, Strategy.SINGLE: node.single, Strategy.MIXED: node.mixed}
            yield (
                State(model, node.gpus),
                {strategy: self._labels(model, strategy, found) for strategy, found in groups.items()},
            )

    def _labels(self, model: str, strategy: Strategy, groups: Mapping[str, Group]) -> dict[str, str]:
        labels = self.labels | self.models[model].labels | self.strategies[strategy]
        for prefix, group in groups.items():
            numbers = {"count": str(group.count), "replicas": str(group.replicas)}
            values = self.models[model].devices[group.device] | numbers
            labels |= {f"{prefix}.{key}": value for key, value in values.items()}
        return {PREFIX + key: value for key, value in labels.items()}


class OfferedNode(msgspec.Struct, forbid_unknown_fields=True):
    """Resource → number of devices under each strategy, or the error with which the device plugin ended."""

    gpus: Runs
    none: dict[str, int] | str
    single: dict[str, int] | str
    mixed: dict[str, int] | str


class ResourceTable(msgspec.Struct, forbid_unknown_fields=True):
    """What the device plugin registered with a kubelet."""

    source: Source
    models: dict[str, list[OfferedNode]]

    @classmethod
    def read(cls) -> "ResourceTable":
        return msgspec.json.decode(DEVICE_PLUGIN.read_bytes(), type=cls)

    def states(self, model: str) -> Iterator[tuple[State, dict[Strategy, dict[str, int] | str]]]:
        """Each node of a model with what was offered under each strategy."""
        for node in self.models[model]:
            offered = {Strategy.NONE: node.none, Strategy.SINGLE: node.single, Strategy.MIXED: node.mixed}
            yield (
                State(model, node.gpus),
                {
                    strategy: found if isinstance(found, str) else {PREFIX + name: each for name, each in found.items()}
                    for strategy, found in offered.items()
                },
            )
