"""What a slice costs: its share of the GPU's price.

A slice denies others the larger of its compute and its memory, so basis ``max`` is the default; ``compute`` is what Red
Hat's Koku charges. Where the shares of one GPU add up to more than 1 (4g + 3g: 1.071) they are scaled down, so that a
GPU never earns more than its price; where they add up to less, the rest is stranded: this layout gives it to no slice.
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
    """What a slice is charged by."""

    MAX = "max"
    COMPUTE = "compute"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Account:
    """Where the price of one GPU goes; the four parts add up to it.

    ``used`` is paid for work, ``idle`` for the unused part of slices that have a pod, ``unallocated`` for slices
    without one, ``stranded`` for what the layout cuts off.
    """

    used: float
    idle: float
    unallocated: float
    stranded: float

    @property
    def price(self) -> float:
        return self.used + self.idle + self.unallocated + self.stranded


def shares(gpu: GpuModel | str, profiles: Mapping[str, int], basis: Basis = Basis.MAX) -> dict[str, float]:
    """The share of the GPU, 0 to 1, that **one** slice of each profile stands for in this layout, by the canonical
    names. Raises UnknownGpu, UnknownProfile, InvalidCount, InvalidRequest.
    """
    model = gpu if isinstance(gpu, GpuModel) else find(gpu)
    counts = dict(canonical(model, profiles))
    if basis not in tuple(Basis):  # a set would refuse a list in words of its own
        raise InvalidRequest("the basis", basis, f"one of {', '.join(Basis)}")
    raw = {name: _fraction(model, name, Basis(basis)) for name in counts}
    total = sum(raw[name] * count for name, count in counts.items())
    return {name: share / max(1.0, total) for name, share in raw.items()}


def stranded(gpu: GpuModel | str, profiles: Mapping[str, int], basis: Basis = Basis.MAX) -> float:
    """The share of the GPU that this layout gives to nobody. Raises what :func:`shares` raises."""
    model = gpu if isinstance(gpu, GpuModel) else find(gpu)
    each, counts = shares(model, profiles, basis), dict(canonical(model, profiles))
    return max(0.0, 1.0 - sum(each[name] * count for name, count in counts.items()))


def per_slice(
    price: float, gpu: GpuModel | str, profiles: Mapping[str, int], basis: Basis = Basis.MAX
) -> dict[str, float]:
    """The price of one slice of each profile, in the currency and time unit of ``price``. Raises what :func:`shares`
    raises, and InvalidRequest for a price that is none.
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
    """Splits the price of one GPU. ``busy`` gives, by profile, the utilisation (0 to 1) of each slice that has a
    pod.

    Raises what :func:`per_slice` raises, and InvalidRequest for slices that are busy but not in the layout: money that
    is not accounted for would be a wrong sum.
    """
    model = gpu if isinstance(gpu, GpuModel) else find(gpu)
    counts = dict(canonical(model, profiles))
    prices = per_slice(price, model, counts, basis)
    working = _working(model, counts, busy)
    used = idle = unallocated = 0.0
    for name, each in prices.items():
        with_pod = working.get(name, ())
        used += each * sum(with_pod)
        idle += each * (len(with_pod) - sum(with_pod))
        unallocated += each * (counts[name] - len(with_pod))
    return Account(used, idle, unallocated, price * stranded(model, counts, basis))


def _working(
    gpu: GpuModel, counts: Mapping[str, int], busy: Mapping[str, Sequence[float]]
) -> Mapping[str, Sequence[float]]:
    """The utilisations by canonical name; what a meter says beyond 0 to 1 is taken as 0 or 1."""
    if not isinstance(busy, Mapping):
        raise InvalidRequest("busy", busy, "utilisations by profile, {'1g.10gb': [0.8]}")
    found: dict[str, list[float]] = {}
    for spelling, values in busy.items():
        ((name, _),) = canonical(gpu, [spelling])
        if isinstance(values, str) or not isinstance(values, Sequence) or not all(map(_is_number, values)):
            raise InvalidRequest(f"busy slices of {name}", values, "numbers from 0 to 1, one for each slice with a pod")
        found.setdefault(name, []).extend(min(1.0, max(0.0, value)) for value in values)
    for name, utilisations in found.items():
        if len(utilisations) > counts.get(name, 0):
            wanted = f"at most the {counts.get(name, 0)} of the layout"
            raise InvalidRequest(f"busy slices of {name}", len(utilisations), wanted)
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _fraction(gpu: GpuModel, name: str, basis: Basis) -> float:
    row, profile = gpu.profile(name), Profile.parse(name)
    compute, memory = row.compute_slices / gpu.compute_slices, row.memory_slices / gpu.memory_slices
    whole = {Basis.MAX: max(compute, memory), Basis.COMPUTE: compute, Basis.MEMORY: memory}[basis]
    return whole * profile.compute / profile.slices
