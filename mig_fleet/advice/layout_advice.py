"""Advice about one layout: the sizes of its slices, and the layout that follows."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mig_fleet.advice.group_advice import GroupAdvice, Members, advise_group
from mig_fleet.advice.measurement import Measurement
from mig_fleet.advice.outcome import Outcome
from mig_fleet.advice.sizing import Sizing
from mig_fleet.advice.window import Window
from mig_fleet.model.cost import Basis
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import DEFAULT, Strategy, allocatable, strategy_conflicts

ONE_PROFILE = (
    "a smaller profile is large enough, but the strategy allows one profile per node, and other GPUs keep theirs"
)


@dataclass(frozen=True, slots=True)
class LayoutAdvice:
    """What follows for a layout, and for the nodes of all pools that have it."""

    layout: Layout
    members: tuple[Members, ...]
    groups: tuple[GroupAdvice, ...]
    price: float | None
    """USD per GPU and hour; None if it is not known."""
    strategy: Strategy = DEFAULT
    """The cluster's MIG strategy."""

    def resource_of(self, profile: str) -> str:
        """What a pod requests for a slice of the profile."""
        return next(iter(allocatable(self.strategy, [{profile: 1}])))

    @property
    def after(self) -> Layout | None:
        """The layout that follows; None if nothing changes."""
        groups = tuple(each.after for each in self.groups)
        return None if groups == self.layout.groups else Layout(self.layout.name, self.layout.gpu, groups)

    @property
    def sizings(self) -> tuple[Sizing, ...]:
        return tuple(sizing for each in self.groups for sizing in each.sizings)

    @property
    def nodes(self) -> int:
        return sum(len(each.nodes) for each in self.members)

    @property
    def gpus(self) -> int:
        """GPUs of all nodes, in a group or not."""
        return sum(len(each.nodes) * each.gpus_per_node for each in self.members)

    @property
    def saved_gpus(self) -> float:
        return sum(each.saved_gpus for each in self.groups)

    @property
    def saved_usd(self) -> float | None:
        """USD per hour; None without a price."""
        return None if self.price is None else self.saved_gpus * self.price


def advise(
    layout: Layout,
    members: Sequence[Members],
    measured: Iterable[Measurement],
    window: Window,
    price: float | None = None,
    basis: Basis = Basis.MAX,
    strategy: Strategy = DEFAULT,
) -> LayoutAdvice:
    """Sizes the profiles of the layout by the measurements of its members' slices; all others are ignored."""
    by_node: dict[str, list[Measurement]] = {}
    for measurement in measured:
        by_node.setdefault(measurement.slice.node, []).append(measurement)
    groups = tuple(advise_group(layout.model, group, members, by_node, window, basis) for group in layout.groups)
    found = LayoutAdvice(layout, tuple(members), groups, price, strategy)
    after = found.after
    if after and any(strategy_conflicts(strategy, after.per_gpu(each.gpus_per_node)) for each in members):
        return dataclasses.replace(found, groups=tuple(map(_kept, groups)))
    return found


def _kept(group: GroupAdvice) -> GroupAdvice:
    """Without replacements, which the strategy does not serve beside the profiles of the other GPUs."""
    sizings = (
        dataclasses.replace(each, outcome=Outcome.KEEP, reason=ONE_PROFILE, replacement=None)
        if each.replacement
        else each
        for each in group.sizings
    )
    return dataclasses.replace(group, sizings=tuple(sizings))
