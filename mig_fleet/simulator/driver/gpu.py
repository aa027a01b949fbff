"""One GPU as its driver sees it: mode, instances, clients, and the operations with their refusals."""

import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError
from mig_fleet.model.gpus import ComputeInstance as Share
from mig_fleet.model.gpus import GpuModel, GpuProfile
from mig_fleet.model.placement import Placement, driver_choice
from mig_fleet.simulator.errors import InsufficientResources, InUse, NotFound, NotSupported

RESETS_ON_MODE_CHANGE: Final = frozenset({"Ampere"})
"""Architectures whose GPUs need a reset to change MIG mode (MIG user guide, Deployment Considerations)."""

WHOLE: Final = {1: 0, 2: 1, 3: 2, 4: 3, 7: 4, 8: 5, 6: 6}
"""Compute slices → NVML's enum and id of the compute instance that takes so many (nvml.h)."""


@dataclass(frozen=True, slots=True)
class ComputeInstance:
    """A part of a GPU instance's compute slices; ``start`` and ``slices`` in compute slices of that instance."""

    id: int
    profile_id: int
    start: int
    slices: int


@dataclass(frozen=True, slots=True)
class GpuInstance:
    """A slice of the GPU; ``start`` and ``size`` in memory slices."""

    id: int
    profile: str
    start: int
    size: int
    compute: tuple[ComputeInstance, ...] = ()


@dataclass(frozen=True, slots=True)
class Client:
    """A process with the GPU open; ``instance`` is ``None`` for the whole GPU."""

    name: str
    instance: int | None


@dataclass(slots=True)
class Gpu:
    """Mutable, as a GPU is. An operation happens whole, or raises a :class:`DriverError` and changes nothing."""

    index: int
    model: GpuModel
    product: str
    uuid: str
    bus: str
    mode: bool = False
    pending: bool = False
    lost: bool = False
    """Fallen off the bus: NVML still counts it, and every question about it is answered with `GPU is lost`."""
    instances: list[GpuInstance] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    @property
    def mig_capable(self) -> bool:
        return bool(self.model.profiles)

    def counts(self) -> Counter[str]:
        """MIG devices by profile name, compute-instance splits under their own names (``1c.3g.40gb``)."""
        return Counter(
            self.device_name(instance, compute) for instance in self.instances for compute in instance.compute
        )

    def device_name(self, instance: GpuInstance, compute: ComputeInstance) -> str:
        """What NVIDIA calls this MIG device."""
        whole = compute.slices == self.model.profile(instance.profile).compute_slices
        return instance.profile if whole else f"{compute.slices}c.{instance.profile}"

    def set_mode(self, enabled: bool) -> None:
        """Switch MIG mode; instances do not survive it.

        On Ampere the switch needs a reset: with a client on the GPU it stays pending until the next one (MIG user
        guide). That Hopper refuses while a client holds the GPU is inferred.
        """
        if not self.mig_capable:
            raise NotSupported(f"GPU {self.index}: MIG mode of {self.product}")
        if enabled == self.mode:
            self.pending = enabled
            return
        if self.clients:
            if self.model.architecture.split()[0] in RESETS_ON_MODE_CHANGE:
                self.pending = enabled
            raise InUse(f"GPU {self.index}: MIG mode (held by {self.clients[0].name})")
        self.mode = self.pending = enabled
        self.instances.clear()

    def create(self, profile: str, compute_slices: int | None = None) -> GpuInstance:
        """A GPU instance where the driver chooses to put it, with one compute instance.

        The compute instance takes the whole of it, or ``compute_slices``.
        """
        if not self.mode:
            raise NotSupported(f"GPU {self.index}: GPU instance {profile} with MIG mode off")
        try:
            facts = self.model.profile(profile)
        except MigError:
            raise NotSupported(f"GPU {self.index}: profile {profile} on {self.model.name}") from None
        if self._is_exhausted(facts):
            raise InsufficientResources(f"GPU {self.index}: another {profile}")
        taken = [Placement(each.profile, each.start, each.size) for each in self.instances]
        place = driver_choice(self.model, taken, profile)
        if place is None:
            raise InsufficientResources(f"GPU {self.index}: GPU instance {profile}")
        instance = GpuInstance(self._free_id(place.size), facts.name, place.start, place.size)
        self.instances.append(instance)
        return self.split(instance.id, compute_slices or facts.compute_slices)

    def split(self, instance_id: int, slices: int) -> GpuInstance:
        """One more compute instance in a GPU instance that has ``slices`` compute slices to spare."""
        instance = self.instance(instance_id)
        facts = self.model.profile(instance.profile)
        offered = [each for each in shares(facts) if each.slices == slices]
        used = sum(each.slices for each in instance.compute)
        if not offered:
            raise NotSupported(f"GPU {self.index}: {slices} of the compute slices of {instance.profile}")
        if used + slices > facts.compute_slices:
            raise InsufficientResources(f"GPU {self.index}: compute instance of {slices} in {instance.profile}")
        made = ComputeInstance(len(instance.compute), offered[0].ci_profile_id, used, slices)
        grown = replace(instance, compute=(*instance.compute, made))
        self.instances[self.instances.index(instance)] = grown
        return grown

    def destroy(self, instance_id: int) -> None:
        """Remove a GPU instance with its compute instances; a client in it prevents that."""
        instance = self.instance(instance_id)
        for client in self.clients:
            if client.instance in (None, instance_id):
                raise InUse(f"GPU {self.index}: GPU instance {instance_id} {instance.profile} (held by {client.name})")
        self.instances.remove(instance)

    def clear(self) -> None:
        """Remove every instance; stops at the first that is held, with those before it gone."""
        for instance in list(self.instances):
            self.destroy(instance.id)

    def instance(self, instance_id: int) -> GpuInstance:
        for instance in self.instances:
            if instance.id == instance_id:
                return instance
        raise NotFound(f"GPU {self.index}: GPU instance {instance_id}")

    def instance_at(self, start: int) -> GpuInstance:
        """The instance that begins at a memory slice."""
        for instance in self.instances:
            if instance.start == start:
                return instance
        raise NotFound(f"GPU {self.index}: GPU instance at memory slice {start}")

    def mig_uuid(self, instance: GpuInstance, compute: ComputeInstance) -> str:
        """Deterministic, as field notes have it for recent drivers."""
        return f"MIG-{uuid.uuid5(uuid.NAMESPACE_OID, f'{self.uuid}/{instance.id}/{instance.start}/{compute.id}')}"

    def _is_exhausted(self, facts: GpuProfile) -> bool:
        same = sum(each.profile == facts.name for each in self.instances)
        return same >= facts.max_instances or len(self.instances) >= self.model.max_gpu_instances

    def _free_id(self, size: int) -> int:
        """As drivers give them: 0 the whole GPU, from 1 halves, from 3 quarters, from 7 eighths (published logs)."""
        fractions = max(1, self.model.memory_slices // size)
        first = (1 << (fractions - 1).bit_length()) - 1
        taken = {each.id for each in self.instances}
        return next(candidate for candidate in range(first, 64) if candidate not in taken)


def shares(profile: GpuProfile) -> tuple[Share, ...]:
    """The kinds of compute instances of a GPU instance: the catalog's, and where it knows none, the whole of it."""
    slices = profile.compute_slices
    return profile.compute_instances or (Share(profile.name, WHOLE[slices], slices, 1, profile.sm_count),)


def bus_id(index: int) -> str:
    """A PCI address like those of an eight-GPU board."""
    return f"00000000:{0x1B + 0x12 * index:02X}:00.0"


def new_gpu(node: str, index: int, model: str, product: str | None = None) -> Gpu:
    """A GPU as it comes from the factory: MIG off, a UUID that follows from its place in the fleet."""
    facts = gpus.find(model)
    name = product or (facts.product_names[0] if facts.product_names else f"NVIDIA {facts.name}")
    return Gpu(index, facts, name, f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{index}.{node}')}", bus_id(index))
