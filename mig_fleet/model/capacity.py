"""What nodes offer once they are cut: slices, memory and SMs by profile."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.layouts import Layout
from mig_fleet.model.profiles import Profile


@dataclass(frozen=True, slots=True)
class Offer:
    """The slices of one profile: how many, and MiB and SMs of all of them; None where no source gives the number.

    ``shared_in`` is the GPU instance whose memory and engines parts of it share, ``3g.40gb`` for ``1c.3g.40gb``. Each
    may use all of that memory; their ``memory_mib`` is what falls to them by compute slices, so that sums stay true.
    """

    slices: int
    memory_mib: int | None
    sm_count: int | None
    shared_in: str | None = None

    @property
    def memory_gib(self) -> float | None:
        """The memory of all of them in GiB, which the GB of their name overstates."""
        return None if self.memory_mib is None else self.memory_mib / 1024

    def __add__(self, other: "Offer") -> "Offer":
        memory = (
            None if None in (self.memory_mib, other.memory_mib) else (self.memory_mib or 0) + (other.memory_mib or 0)
        )
        sms = None if None in (self.sm_count, other.sm_count) else (self.sm_count or 0) + (other.sm_count or 0)
        shared_in = self.shared_in if self.shared_in == other.shared_in else None
        return Offer(self.slices + other.slices, memory, sms, shared_in)


@dataclass(frozen=True, slots=True)
class Capacity:
    """Offers by profile (sorted) and the GPUs that stay whole. Capacities of different GPU models must not be added
    up.
    """

    gpu: str
    offers: Mapping[str, Offer] = field(default_factory=dict)
    whole_gpus: int = 0

    @property
    def slices(self) -> dict[str, int]:
        """Slices by profile."""
        return {name: offer.slices for name, offer in self.offers.items()}


def of(layout: Layout, gpus_per_node: int, nodes: int = 1) -> Capacity:
    """The capacity of some nodes with this layout."""
    cuts = layout.per_gpu(gpus_per_node)
    counts: Counter[str] = Counter()
    for cut in cuts:
        counts.update(cut or {})
    offers = {name: offer(layout.model, name, count * nodes) for name, count in sorted(counts.items())}
    return Capacity(layout.gpu, offers, sum(cut is None for cut in cuts) * nodes)


def offer(gpu: GpuModel, name: str, count: int = 1) -> Offer:
    """What so many slices of a profile offer. Raises UnknownProfile, InvalidProfile."""
    row, profile = gpu.profile(name), Profile.parse(name)
    sms, memory = row.sm_count, None if row.memory_mib is None else row.memory_mib * count
    if profile.is_split:
        part = next((ci for ci in row.compute_instances if ci.slices == profile.compute), None)
        sms = part.sm_count if part else None
        memory = None if memory is None else memory * profile.compute // profile.slices
    shared_in = str(profile.whole) if profile.is_split else None
    return Offer(count, memory, None if sms is None else sms * count, shared_in)
