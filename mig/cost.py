"""What a slice costs: its share of the GPU's price.

A slice denies others the larger of its compute and its memory, so basis ``max`` is the default; ``compute`` is what Red
Hat's Koku charges. Where the shares of one GPU add up to more than 1 (4g + 3g: 1.071) they are scaled down, so that a
GPU never earns more than its price; where they add up to less, the rest is stranded: no pod can ever use it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mig.gpus import GpuModel, find
from mig.profiles import Profile


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
    """The share of the GPU, 0 to 1, that **one** slice of each profile stands for in this layout. Raises
    UnknownProfile.
    """
    model = find(gpu) if isinstance(gpu, str) else gpu
    raw = {name: _fraction(model, name, basis) for name, count in profiles.items() if count}
    total = sum(raw[name] * profiles[name] for name in raw)
    return {name: share / max(1.0, total) for name, share in sorted(raw.items())}


def stranded(gpu: GpuModel | str, profiles: Mapping[str, int], basis: Basis = Basis.MAX) -> float:
    """The share of the GPU that this layout gives to nobody."""
    return max(0.0, 1.0 - sum(share * profiles[name] for name, share in shares(gpu, profiles, basis).items()))


def per_slice(
    price: float, gpu: GpuModel | str, profiles: Mapping[str, int], basis: Basis = Basis.MAX
) -> dict[str, float]:
    """The price of one slice of each profile, in the currency and time unit of ``price``."""
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
    """
    prices = per_slice(price, gpu, profiles, basis)
    used = idle = unallocated = 0.0
    for name, each in prices.items():
        with_pod = list(busy.get(name, ()))[: profiles[name]]
        work = sum(min(1.0, max(0.0, utilisation)) for utilisation in with_pod)
        used += each * work
        idle += each * (len(with_pod) - work)
        unallocated += each * (profiles[name] - len(with_pod))
    return Account(used, idle, unallocated, price * stranded(gpu, profiles, basis))


def _fraction(gpu: GpuModel, name: str, basis: Basis) -> float:
    row, profile = gpu.profile(name), Profile.parse(name)
    compute, memory = row.compute_slices / gpu.compute_slices, row.memory_slices / gpu.memory_slices
    whole = {Basis.MAX: max(compute, memory), Basis.COMPUTE: compute, Basis.MEMORY: memory}[basis]
    return whole * profile.compute / profile.slices
