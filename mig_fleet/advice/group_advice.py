"""Advice about the GPUs of one group of a layout, on all nodes that have the layout."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mig_fleet.advice import use
from mig_fleet.advice.measurement import Measurement
from mig_fleet.advice.outcome import Outcome
from mig_fleet.advice.replacement import replaced
from mig_fleet.advice.sizing import Sizing, size
from mig_fleet.advice.window import Window
from mig_fleet.model.cost import Basis
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.layouts import GpuGroup
from mig_fleet.model.placement import prove
from mig_fleet.monitoring.spellings import catalog_names


@dataclass(frozen=True, slots=True)
class Members:
    """The nodes of one pool that has the layout."""

    pool: str
    nodes: tuple[str, ...]
    gpus_per_node: int


@dataclass(frozen=True, slots=True)
class GroupAdvice:
    """The sizings of the profiles that the GPUs of a group have. MIG off has none."""

    group: GpuGroup
    gpus: int
    """Of all nodes."""
    sizings: tuple[Sizing, ...]

    @property
    def after(self) -> GpuGroup:
        """The group with each profile replaced that can be smaller; proven to be possible."""
        profiles = self.group.profiles
        for sizing in self.sizings:
            if profiles is not None and (new := sizing.replacement):
                profiles = replaced(profiles, sizing.profile, new.profile, new.count)
        return GpuGroup(self.group.devices, profiles)

    @property
    def saved_gpus(self) -> float:
        """GPUs that the same number of slices does not need any more; not a whole number."""
        return self.gpus * sum(sizing.replacement.saving for sizing in self.sizings if sizing.replacement)


def advise_group(
    gpu: GpuModel,
    group: GpuGroup,
    members: Sequence[Members],
    by_node: Mapping[str, Sequence[Measurement]],
    window: Window,
    basis: Basis,
) -> GroupAdvice:
    """Sizes each profile by the measurements of its slices; the largest use of any slice counts, because all of them
    are replaced together.
    """
    gpus, found = 0, list[Measurement]()
    for each in members:
        indexes = {index for index in range(each.gpus_per_node) if group.devices is None or index in group.devices}
        gpus += len(indexes) * len(each.nodes)
        of_nodes = (measurement for node in each.nodes for measurement in by_node.get(node, ()))
        found += [measurement for measurement in of_nodes if measurement.slice.gpu in indexes]
    profiles, spellings = group.profiles or {}, catalog_names(gpu)

    def sizing(name: str, count: int) -> Sizing:
        row = gpu.profile(name).name
        of_profile = [measurement for measurement in found if spellings.get(measurement.slice.profile) == row]
        return size(gpu, profiles, name, use.of_slices(count * gpus, of_profile, window), basis)

    sizings = [sizing(name, count) for name, count in profiles.items()]
    return GroupAdvice(group, gpus, tuple(_together(gpu, profiles, sizings)))


def _together(gpu: GpuModel, profiles: Mapping[str, int], sizings: Iterable[Sizing]) -> Iterator[Sizing]:
    """Each replacement is proven beside the profiles of today; together they must fit, too."""
    for sizing in sizings:
        new = sizing.replacement
        after = replaced(profiles, sizing.profile, new.profile, new.count) if new else profiles
        if new is None or prove(gpu, after):
            profiles = after
            yield sizing
        else:
            why = f"{new.profile} is large enough, but does not fit beside the other new profiles of the GPU"
            yield dataclasses.replace(sizing, outcome=Outcome.KEEP, reason=why, replacement=None)
