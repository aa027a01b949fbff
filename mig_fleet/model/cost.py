"""What a slice costs: its share of the GPU's price.

A slice takes the larger of its compute and its memory away from others, so basis ``max`` is the default; Red Hat's Koku
charges ``compute``. If the shares of one GPU add up to more than 1 (4g + 3g: 1.071) they are scaled down, so that the
slices never cost more than the GPU. If they add up to less, the rest is stranded: no slice of the layout has it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mig_fleet.model.errors import InvalidRequest
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.placement.request import canonical
from mig_fleet.model.profiles import Profile


class Basis(StrEnum):
    """What a slice is charged for."""

    MAX = "max"
    COMPUTE = "compute"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Account:
    """The price of one GPU in four parts that add up to it.

    ``used`` is paid for work, ``idle`` for the unused part of slices that have a pod, ``unallocated`` for slices
    without a pod, ``stranded`` for what no slice of the layout has.
    """

    used: float
    idle: float
    unallocated: float
    stranded: float


def shares(gpu: GpuModel | str, profiles: Mapping[str, int], basis: Basis = Basis.MAX) -> dict[str, float]:
    """The share of the GPU, 0 to 1, that **one** slice of each profile has in this layout, by the canonical names.

    Raises UnknownGpu, UnknownProfile, InvalidCount, InvalidRequest.
    """
    model = find(gpu)
    counts = dict(canonical(model, profiles))
    if basis not in tuple(Basis):  # a set would raise TypeError for a list
        raise InvalidRequest("the basis", basis, f"one of {', '.join(Basis)}")
    raw = {name: _fraction(model, name, Basis(basis)) for name in counts}
    total = sum(raw[name] * count for name, count in counts.items())
    return {name: share / max(1.0, total) for name, share in raw.items()}


def stranded(gpu: GpuModel | str, profiles: Mapping[str, int], basis: Basis = Basis.MAX) -> float:
    """The share of the GPU, 0 to 1, that no slice of this layout has. Raises what :func:`shares` raises."""
    model = find(gpu)
    each, counts = shares(model, profiles, basis), dict(canonical(model, profiles))
    return max(0.0, 1.0 - sum(each[name] * count for name, count in counts.items()))


def per_slice(
    price: float, gpu: GpuModel | str, profiles: Mapping[str, int], basis: Basis = Basis.MAX
) -> dict[str, float]:
    """The price of one slice of each profile, in the currency and time unit of ``price``.

    Raises what :func:`shares` raises, and InvalidRequest for a price that is not a number from 0.
    """
    if isinstance(price, bool) or not isinstance(price, (int, float)) or not (math.isfinite(price) and price >= 0):
        raise InvalidRequest("the price", price, "a number from 0")
    return {name: price * share for name, share in shares(gpu, profiles, basis).items()}


def account(
    price: float,
    gpu: GpuModel | str,
    profiles: Mapping[str, int],
    busy: Mapping[str, Sequence[float]],
    basis: Basis = Basis.MAX,
) -> Account:
    """Splits the price of one GPU. ``busy`` has, by profile, the utilisation (0 to 1) of each slice that has a pod.

    Raises what :func:`per_slice` raises, and InvalidRequest for busy slices that are not in the layout: without them
    the sum would be wrong.
    """
    model = find(gpu)
    counts = dict(canonical(model, profiles))
    prices = per_slice(price, model, counts, basis)
    utilisations = _utilisations(model, counts, busy)
    used = idle = unallocated = 0.0
    for name, each in prices.items():
        with_pod = utilisations.get(name, ())
        used += each * sum(with_pod)
        idle += each * (len(with_pod) - sum(with_pod))
        unallocated += each * (counts[name] - len(with_pod))
    return Account(used, idle, unallocated, price * stranded(model, counts, basis))


def _utilisations(
    gpu: GpuModel, counts: Mapping[str, int], busy: Mapping[str, Sequence[float]]
) -> Mapping[str, Sequence[float]]:
    """The utilisations by canonical name; a measured value outside 0 to 1 counts as 0 or 1."""
    if not isinstance(busy, Mapping):
        raise InvalidRequest("busy", busy, "utilisations by profile, {'1g.10gb': [0.8]}")
    found: dict[str, list[float]] = {}
    for spelling, values in busy.items():
        ((name, _),) = canonical(gpu, [spelling])
        if isinstance(values, str) or not isinstance(values, Sequence) or not all(map(_is_number, values)):
            raise InvalidRequest(f"busy slices of {name}", values, "numbers from 0 to 1, one for each slice with a pod")
        found.setdefault(name, []).extend(min(1.0, max(0.0, value)) for value in values)
    for name, shares_of_time in found.items():
        if len(shares_of_time) > (limit := counts.get(name, 0)):
            raise InvalidRequest(f"busy slices of {name}", len(shares_of_time), f"at most the {limit} of the layout")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _fraction(gpu: GpuModel, name: str, basis: Basis) -> float:
    row, profile = gpu.profile(name), Profile.parse(name)
    compute, memory = row.compute_slices / gpu.compute_slices, row.memory_slices / gpu.memory_slices
    whole = {Basis.MAX: max(compute, memory), Basis.COMPUTE: compute, Basis.MEMORY: memory}[basis]
    return whole * profile.compute / profile.slices
