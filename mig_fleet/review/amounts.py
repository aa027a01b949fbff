"""Capacity and cost of a stack before and after.

A preview has the outputs of the last update, no new ones, and the inputs of those waves that change. So the outputs are
the amounts before, and what the changed waves had and will have is subtracted and added. Prices follow from the output
``cost``: per GPU of each model.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mig_fleet.model.allocated_by import WHOLE_GPU_CLASS, AllocatedBy, device_class, offered
from mig_fleet.model.cost import shares
from mig_fleet.model.errors import MigError
from mig_fleet.model.labels import GPU_RESOURCE
from mig_fleet.model.profiles import from_kubernetes
from mig_fleet.model.strategy import DEFAULT, Strategy
from mig_fleet.model.wave_nodes import node_names
from mig_fleet.review.preview import Json, Step
from mig_fleet.review.review import AmountChange
from mig_fleet.review.waves import WaveSteps

STACK = "pulumi:pulumi:Stack"


@dataclass
class Side:
    """The changed waves before the update, or after it."""

    capacity: Counter[str] = field(default_factory=Counter)
    gpus: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(pool, GPU model) → number of GPUs."""
    of_node: dict[tuple[str, str], int] = field(default_factory=dict)
    """The same for one node."""
    profiles: dict[str, list[Mapping[str, int]]] = field(default_factory=dict)
    """GPU model → the profiles of GPUs that have slices."""
    strategy: Strategy = DEFAULT
    """Of all of them: a cluster has one."""
    allocation: AllocatedBy = AllocatedBy.DEVICE_PLUGIN
    """The same."""
    costs: list[float | None] = field(default_factory=list)
    """Of each wave, US dollars per hour, as its property ``costPerHourUsd``."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """See the fields of :class:`~mig_fleet.review.review.Review` with these names."""

    capacity: tuple[AmountChange, ...] = ()
    cost_before: float | None = None
    cost_after: float | None = None
    cost_slices: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)


def amounts_of(waves: Iterable[WaveSteps], steps: Iterable[Step]) -> Amounts:
    """What the stack offers and costs, before and after the update."""
    before, after = Side(), Side()
    for wave in waves:
        _add(before, wave.pool, wave.old_inputs)
        _add(after, wave.pool, {} if wave.is_removed else wave.inputs)
    outputs = _outputs(steps)
    cost: Json = outputs.get("cost") or {}
    prices = _prices(outputs, before)
    each_before, each_after = _per_slice(before, prices), _per_slice(after, prices)
    total = cost.get("perHourUsd")
    return Amounts(
        tuple(_capacity(outputs.get("capacity") or {}, before, after)),
        float(total) if isinstance(total, (int, float)) else None,
        _cost_after(total, before, after, prices),
        {key: (each_before.get(key), each_after.get(key)) for key in sorted(each_before.keys() | each_after.keys())},
    )


def _outputs(steps: Iterable[Step]) -> dict[str, Any]:
    found = next((step.old.get("outputs") for step in steps if step.type == STACK), None)
    return found if isinstance(found, dict) else {}


def _add(side: Side, pool: str, inputs: Json) -> None:
    expected, nodes = inputs.get("expected"), node_names(inputs)
    if not isinstance(expected, dict):
        return
    if expected.get("allocation") == AllocatedBy.DRA:
        side.allocation = AllocatedBy.DRA
    for name, count in (expected.get("allocatable") or {}).items():
        side.capacity[_asked_for(str(name), side.allocation)] += int(count) * len(nodes)
    gpus, model = expected.get("gpus") or [], str(expected.get("gpu") or "")
    if expected.get("strategy") in tuple(Strategy):
        side.strategy = Strategy(expected["strategy"])
    side.gpus[pool, model] += len(gpus) * len(nodes)
    side.of_node[pool, model] = len(gpus)
    price = inputs.get("costPerHourUsd")
    side.costs.append(float(price) if isinstance(price, (int, float)) else None)
    profiles = [{str(name): int(n) for name, n in gpu.items()} for gpu in gpus if isinstance(gpu, dict)]
    side.profiles.setdefault(model, []).extend(profiles)


def _asked_for(resource: str, allocation: AllocatedBy) -> str:
    """What pods ask for: with DRA a DeviceClass, although a wave counts the slices as extended resources."""
    if allocation is AllocatedBy.DEVICE_PLUGIN:
        return resource
    try:
        return WHOLE_GPU_CLASS if resource == GPU_RESOURCE else device_class(from_kubernetes(resource))
    except MigError:
        return resource


def _capacity(outputs: Json, before: Side, after: Side) -> Iterable[AmountChange]:
    """Every resource of the stack. Outputs that are older than the waves, as after a failed update, are not used."""
    total = Counter({str(name): int(count) for name, count in outputs.items()})
    if any(total[name] < count for name, count in before.capacity.items()):
        total = before.capacity
    for name in sorted(total.keys() | after.capacity.keys()):
        yield AmountChange(name, total[name], total[name] - before.capacity[name] + after.capacity[name])


def _prices(outputs: Json, before: Side) -> dict[str, float]:
    """GPU model → price of one per hour. The output ``slices`` has every node of a pool, changed or not."""
    found: dict[str, float] = {}
    pools, nodes = (outputs.get("cost") or {}).get("pools") or {}, outputs.get("slices") or {}
    for (pool, model), each in before.of_node.items():
        per_hour, number = (pools.get(pool) or {}).get("perHourUsd"), len(nodes.get(pool) or {}) * each
        if isinstance(per_hour, (int, float)) and number:
            found[model] = per_hour / number
    return found


def _cost_after(total: Any, before: Side, after: Side, prices: Mapping[str, float]) -> float | None:
    """``None`` if GPUs are added whose price is not known."""
    if not isinstance(total, (int, float)):
        # A stack without outputs is new, and each of its waves changes.
        return _sum(after.costs) if after.costs and not before.costs else None
    if (now := _sum(after.costs)) is not None and (then := _sum(before.costs)) is not None:
        return round(float(total) - then + now, 2)
    delta: Counter[str] = Counter()
    for (_, model), number in after.gpus.items():
        delta[model] += number
    for (_, model), number in before.gpus.items():
        delta[model] -= number
    if any(number and model not in prices for model, number in delta.items()):
        return None
    return round(float(total) + sum(number * prices[model] for model, number in delta.items() if number), 2)


def _sum(costs: list[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 2) if len(known) == len(costs) else None


def _per_slice(side: Side, prices: Mapping[str, float]) -> dict[str, float]:
    """Resource → price of one slice; without those whose price differs between GPUs."""
    found: dict[str, set[float]] = {}
    for model, partitioned in side.profiles.items():
        for profiles in partitioned if model in prices else ():
            try:
                of_one = shares(model, profiles)
            except MigError:
                continue
            for name, share in of_one.items():
                for resource in offered(side.allocation, side.strategy, [{name: 1}]):
                    found.setdefault(resource, set()).add(round(share * prices[model], 3))
    return {name: price for name, (price, *others) in found.items() if not others}
