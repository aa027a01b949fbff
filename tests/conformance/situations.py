"""Generates what mig-parted may meet: a node whose GPUs are in some state, and a config in which anything may be wrong.

Most layouts fit their GPU. The others ask for too much, for profiles that the GPU does not have, for none, or for a
GPU twice.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml
from hypothesis import strategies as st

from mig_fleet.model import gpus
from mig_fleet.model.gpus import Geometry
from mig_fleet.model.profiles import Profile
from mig_fleet.simulator.driver import Client, Driver, Gpu
from mig_fleet.simulator.driver.gpu import new_gpu
from mig_fleet.simulator.driver.instances import compute_profiles
from mig_fleet.simulator.errors import DriverError

MODELS: Final = tuple(
    model.name for model in gpus.all_models() if model.geometry is Geometry.ESTABLISHED and model.pci_device_ids
)
"""The models whose geometry is established and that a filter can select by their device id."""

MOST_ORDERS: Final = 40
"""mig-parted tries every order of an impossible layout; a layout with more orders loses devices."""

CONFIG: Final = "selected"


@dataclass(frozen=True, repr=False)
class Situation:
    """A node and a file with one config."""

    driver: Driver
    entries: tuple[dict[str, object], ...]

    @property
    def file(self) -> str:
        return yaml.safe_dump({"version": "v1", "mig-configs": {CONFIG: list(self.entries)}}, sort_keys=False)

    def __repr__(self) -> str:
        return "\n".join(["", self.driver.gpus[0].model.name, *describe(self.driver), self.file])

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """For Hypothesis, which would print every fact of the GPU model."""
        printer.text(repr(self))


def describe(driver: Driver) -> Iterator[str]:
    """One line per GPU; an instance is its profile, start and the slices of its compute instances."""
    for gpu in driver.gpus:
        mode = ("off", "on")[gpu.mode] + f", pending {('off', 'on')[gpu.pending]}" * (gpu.mode != gpu.pending)
        parts = {it.id: "+".join(f"{each.slices}c" for each in it.compute) or "empty" for it in gpu.instances}
        instances = [f"{it.profile}@{it.start} ({parts[it.id]})" for it in gpu.instances]
        clients = [f"in use: {client.instance}" for client in gpu.clients]
        yield f"GPU {gpu.index}: {', '.join([mode, *instances, *clients])}"


def orders(names: list[str]) -> int:
    """The number of distinct orders of a list."""
    product = math.factorial(len(names))
    for count in Counter(names).values():
        product //= math.factorial(count)
    return product


def names_of(model: str) -> list[str]:
    """Every name that a config may use for a model: its profiles and all parts of them, whether it offers them or not;
    the alias of a profile of one slice is among them.
    """
    rows = gpus.find(model).profiles.values()
    return [row.name for row in rows] + [f"{part}c.{row.name}" for row in rows for part in range(1, row.compute_slices)]


@st.composite
def initial_gpus(draw: st.DrawFn, model: str, index: int) -> Gpu:
    """A GPU with MIG off or on, some instances, whole, in parts or empty, and perhaps clients."""
    gpu = new_gpu("a-node", index, model)
    if draw(st.booleans()):
        gpu.set_mode(True)
        for row in draw(st.lists(st.sampled_from(list(gpu.model.profiles.values())), max_size=5)):
            try:
                instance = gpu.create_gpu_instance(row.name)
                offered = [part.ci_profile_id for part in compute_profiles(row)]
                whole = min(part.ci_profile_id for part in compute_profiles(row) if part.slices == row.compute_slices)
                for part in draw(st.just([whole]) | st.lists(st.sampled_from(offered), max_size=3)):
                    gpu.create_compute_instance(instance.id, part)
            except DriverError:
                continue
    if draw(st.integers(0, 3)) == 0:
        gpu.clients.append(Client("a/pod", draw(st.sampled_from([None, *(it.id for it in gpu.instances)]))))
    return gpu


@st.composite
def fitting_layouts(draw: st.DrawFn, model: str) -> list[str]:
    """Devices that fit a GPU, some as parts of a GPU instance."""
    gpu = new_gpu("a-node", 0, model)
    gpu.set_mode(True)
    names: list[str] = []
    for row in draw(st.lists(st.sampled_from(list(gpu.model.profiles.values())), min_size=1, max_size=8)):
        try:
            instance = gpu.create_gpu_instance(row.name)
        except DriverError:
            continue
        whole = [row.compute_slices]
        parts = [part.slices for part in compute_profiles(row)]
        for slices in draw(st.just(whole) | st.lists(st.sampled_from(parts), min_size=1, max_size=3)):
            try:
                gpu.split(instance.id, slices)
            except DriverError:
                continue
            names.append(row.name if slices == row.compute_slices else f"{slices}c.{row.name}")
    return names


@st.composite
def layouts(draw: st.DrawFn, model: str) -> dict[str, int]:
    """The devices of an entry."""
    kind = draw(st.integers(0, 9))
    if kind < 6:
        names = draw(fitting_layouts(model))
    else:
        names = draw(st.lists(st.sampled_from(names_of(model)), min_size=1, max_size=7))
    while orders(names) > MOST_ORDERS:
        names.pop(draw(st.integers(0, len(names) - 1)))
    counts = dict(Counter(names))
    if kind == 9:  # a foreign profile, an alias, or a count of zero
        name = draw(st.sampled_from(["1g.5gb", "2g.999gb", f"1c.{names_of(model)[0]}", names_of(model)[-1]]))
        counts.setdefault(name, draw(st.integers(0, 1)))
    if not any(counts.values()):
        return {}
    return counts


@st.composite
def entries(draw: st.DrawFn, model: str, count: int) -> dict[str, object]:
    """One entry, for all GPUs of the node or for some; of its model, of another one or of any."""
    entry: dict[str, object] = {}
    selected = draw(st.integers(0, 5))
    if selected == 0:
        entry["device-filter"] = draw(st.sampled_from(["0x2330", "0x233010DE", "0x20B210DE", ""]))
    elif selected == 1:
        entry["device-filter"] = draw(st.permutations(["0x20B010DE", *gpus.find(model).pci_device_ids]))
    indices = st.lists(st.integers(0, count), min_size=1, max_size=count + 1, unique=True)
    entry["devices"] = draw(st.just("all") | indices)
    entry["mig-enabled"] = draw(st.integers(0, 3)) > 0
    entry["mig-devices"] = draw(layouts(model)) if entry["mig-enabled"] else {}
    return entry


@st.composite
def situations(draw: st.DrawFn, model: str) -> Situation:
    """A node with GPUs of one model and a config of one to three entries."""
    count = draw(st.sampled_from([1, 1, 2, 2, 3, 4, 8]))
    driver = Driver("580.126.09", 13000, [draw(initial_gpus(model, index)) for index in range(count)])
    return Situation(driver, tuple(draw(st.lists(entries(model, count), min_size=1, max_size=3))))


def tie_key(name: str) -> tuple[int, int, tuple[str, ...]]:
    """What mig-parted sorts devices by (pkg/types/mig_config.go, `Flatten`)."""
    profile = Profile.parse(name)
    return profile.slices, profile.compute, profile.attributes
