"""Advice about every layout of a stack file that a pool has."""

from collections.abc import Iterable, Mapping

from mig_fleet.advice.group_advice import Members
from mig_fleet.advice.layout_advice import LayoutAdvice, advise
from mig_fleet.advice.measurement import Measurement
from mig_fleet.advice.reading import Source, nodes_of
from mig_fleet.advice.window import Window
from mig_fleet.stack_file.fleet import Fleet

Nodes = Mapping[str, tuple[str, ...]]
"""Pool → its nodes."""


def nodes_by_pool(fleet: Fleet, source: Source) -> Nodes:
    """The nodes that the stack file names; of a pool with a selector those that Prometheus has of it."""
    return {pool.name: pool.nodes or nodes_of(source, pool.name) for pool in fleet.pools}


def advise_fleet(
    fleet: Fleet, nodes: Nodes, measured: Iterable[Measurement], window: Window
) -> tuple[LayoutAdvice, ...]:
    """In the order of the stack file. A layout without MIG has no slices to size."""
    found, basis = list(measured), fleet.settings.monitoring.cost_basis
    return tuple(
        advise(layout, members, found, window, fleet.prices.get(layout.gpu), basis, fleet.strategy)
        for name, layout in fleet.layouts.items()
        if not layout.is_disabled and (members := _members(fleet, name, nodes))
    )


def _members(fleet: Fleet, layout: str, nodes: Nodes) -> list[Members]:
    return [
        Members(pool.name, nodes[pool.name], pool.settings.gpus_per_node)
        for pool in fleet.pools
        if pool.settings.layout == layout
    ]
