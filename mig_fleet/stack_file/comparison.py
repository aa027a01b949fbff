"""What differs between two stack files: layouts, nodes, capacity, cost, and the names of other settings.

It reads no cluster. A pool with a selector is compared by one of its nodes: only the cluster knows their number.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mig_fleet.model.formatting import format_gpus
from mig_fleet.model.layouts import Layout
from mig_fleet.stack_file import summary
from mig_fleet.stack_file.fleet import Fleet, FleetPool

T = TypeVar("T")

OF_NODES = frozenset({"gpu", "gpusPerNode", "nodes", "selector", "layout"})
"""The settings of a pool that are compared by the nodes."""


@dataclass(frozen=True)
class Change(Generic[T]):
    """A value in both files; ``None`` where a file does not have it."""

    before: T | None
    after: T | None


@dataclass(frozen=True)
class DeclaredNode:
    """What a stack file declares of a node."""

    pool: str
    layout: str
    config: str
    """The config name of the layout."""
    gpu: str
    gpus: str
    """As :func:`~mig_fleet.model.formatting.format_gpus` writes them."""


@dataclass(frozen=True)
class NodesChange(Change[DeclaredNode]):
    """Nodes with the same change."""

    nodes: tuple[str, ...]
    """Their names; or one selector, ``nodes with role=gpu``."""


@dataclass(frozen=True)
class Comparison:
    """All differences; each part is empty if nothing in it differs."""

    layouts: Mapping[str, Change[str]]
    """Layout → its GPU model and profiles."""
    nodes: tuple[NodesChange, ...]
    capacity: Mapping[str, Change[int]]
    """Resource → slices or whole GPUs of all nodes that have names."""
    capacity_per_node: Mapping[str, Mapping[str, Change[int]]]
    """Pool with a selector → resource → amount of one node."""
    cost: Change[float] | None
    """USD per hour of all nodes that have names and a price."""
    cost_per_node: Mapping[str, Change[float]]
    """Pool with a selector → USD per hour of one node."""
    other_settings: tuple[str, ...]
    """Paths of other values that differ, such as ``operator.version``; the values may be confidential."""

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return any(vars(self).values())


def compare(before: Fleet, after: Fleet) -> Comparison:
    """What changes from one stack file to another."""
    total_before, total_after = summary.of_named_nodes(before), summary.of_named_nodes(after)
    cost = Change(_per_hour(total_before), _per_hour(total_after))
    per_node = _changes(_selected(before), _selected(after))
    each = {
        name: (_one_node(change.before, before), _one_node(change.after, after)) for name, change in per_node.items()
    }
    capacities = {name: _changes(_capacity(old), _capacity(new)) for name, (old, new) in each.items()}
    costs = {name: Change(_per_hour(old), _per_hour(new)) for name, (old, new) in each.items()}
    return Comparison(
        _changes(_layouts(before), _layouts(after)),
        tuple(_nodes(before, after)),
        _changes(_capacity(total_before), _capacity(total_after)),
        {name: found for name, found in capacities.items() if found},
        cost if cost.before != cost.after else None,
        {name: found for name, found in costs.items() if found.before != found.after},
        tuple(_other_settings(_settings(before), _settings(after))),
    )


def format_selector(pool: FleetPool) -> str:
    """The labels of a selector, ``nodes with role=gpu``; only the cluster knows the nodes that match."""
    selector = pool.settings.selector
    return "nodes with " + ", ".join(f"{k}={v}" for k, v in (selector.match_labels if selector else {}).items())


def format_pool_gpus(pool: FleetPool) -> str:
    """The MIG devices of a node of the pool: ``GPU 0-7: 7x 1g.10gb``."""
    return format_gpus(dict(enumerate(pool.layout.per_gpu(pool.settings.gpus_per_node))))


def _changes(before: Mapping[str, T], after: Mapping[str, T]) -> dict[str, Change[T]]:
    """The keys whose values differ, sorted."""
    names = sorted(before.keys() | after.keys())
    return {name: Change(before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _layouts(fleet: Fleet) -> dict[str, str]:
    return {name: _format_layout(layout) for name, layout in fleet.layouts.items()}


def _format_layout(layout: Layout) -> str:
    """``H100-80GB: each GPU 7x 1g.10gb``, or each group of GPUs."""
    groups = [
        format_gpus(dict.fromkeys(it.devices, it.profiles))
        if it.devices is not None
        else format_gpus({0: it.profiles}).replace("GPU 0: ", "each GPU ")
        for it in layout.groups
    ]
    return f"{layout.gpu}: {'; '.join(groups)}"


def _nodes(before: Fleet, after: Fleet) -> Iterator[NodesChange]:
    """Nodes with the same change together, in the order of their first names."""
    equal: dict[tuple[DeclaredNode | None, DeclaredNode | None], list[str]] = {}
    for name, change in _changes(_declared(before), _declared(after)).items():
        equal.setdefault((change.before, change.after), []).append(name)
    for (old, new), names in equal.items():
        yield NodesChange(old, new, tuple(names))


def _declared(fleet: Fleet) -> dict[str, DeclaredNode]:
    return {
        name: DeclaredNode(
            pool.name, pool.layout.name, pool.layout.config_name, pool.layout.gpu, format_pool_gpus(pool)
        )
        for pool in fleet.pools
        for name in pool.nodes or (format_selector(pool),)
    }


def _selected(fleet: Fleet) -> dict[str, FleetPool]:
    return {pool.name: pool for pool in fleet.pools if pool.settings.selector is not None}


def _one_node(pool: FleetPool | None, fleet: Fleet) -> Fleet | None:
    return summary.of_one_node(pool, fleet) if pool else None


def _capacity(fleet: Fleet | None) -> dict[str, int]:
    return summary.capacity(fleet) if fleet else {}


def _per_hour(fleet: Fleet | None) -> float | None:
    found = summary.cost(fleet) if fleet else {}
    return found["perHourUsd"] if found else None


def _settings(fleet: Fleet) -> dict[str, Any]:
    """The settings that neither layouts nor nodes show."""
    found = fleet.settings.model_dump(by_alias=True, exclude={"layouts"})
    pools: dict[str, dict[str, Any]] = found["pools"]
    return found | {
        "pools": {
            name: {key: value for key, value in pool.items() if key not in OF_NODES} for name, pool in pools.items()
        }
    }


def _other_settings(before: Mapping[str, Any], after: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The paths of values that differ; a pool that only one file has is compared by its nodes."""
    for key in sorted(before.keys() | after.keys()):
        old, new, path = before.get(key), after.get(key), f"{above}{key}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _other_settings(old, new, f"{path}.")
        elif old != new and above != "pools.":
            yield path
