"""One GPU, as its driver sees it: MIG mode, instances, clients, and the operations with their errors."""

import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError
from mig_fleet.model.gpus import GpuModel, GpuProfile
from mig_fleet.model.placement import Placement, driver_choice
from mig_fleet.simulator.driver.instances import Client, ComputeInstance, GpuInstance, compute_profiles
from mig_fleet.simulator.errors import DriverError, InsufficientResources, InUse, NotFound, NotSupported

RESETS_ON_MODE_CHANGE: Final = frozenset({"Ampere"})
"""Architectures whose GPUs need a reset to change MIG mode (MIG user guide, Deployment Considerations)."""


@dataclass(slots=True)
class Gpu:
    """A GPU that its methods change. A method changes everything, or raises :class:`DriverError` and changes nothing.

    Exceptions: :meth:`set_mode` on Ampere and :meth:`clear`.
    """

    index: int
    model: GpuModel
    product: str
    uuid: str
    bus: str
    mode: bool = False
    pending: bool = False
    lost: bool = False
    """The GPU has fallen off the bus: NVML still counts it, and every call for it returns `GPU is lost`."""
    instances: list[GpuInstance] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    created: int = field(default=0, compare=False)
    """How many instances were ever created."""

    @property
    def mig_capable(self) -> bool:
        return bool(self.model.profiles)

    @property
    def family(self) -> str:
        """The name of its architecture without the chip: ``Ampere``, ``Hopper`` or ``Blackwell``."""
        return self.model.architecture.split()[0]

    @property
    def resets_on_mode_change(self) -> bool:
        return self.family in RESETS_ON_MODE_CHANGE

    def counts(self) -> Counter[str]:
        """Number of MIG devices per profile name; parts of a GPU instance have names like ``1c.3g.40gb``."""
        return Counter(
            self.device_name(instance, compute) for instance in self.instances for compute in instance.compute
        )

    def device_name(self, instance: GpuInstance, compute: ComputeInstance) -> str:
        """NVIDIA's profile name of this MIG device."""
        whole = compute.slices == self.model.profile(instance.profile).compute_slices
        return instance.profile if whole else f"{compute.slices}c.{instance.profile}"

    def set_mode(self, enabled: bool) -> None:
        """Switch MIG mode; this destroys all instances.

        On Ampere the switch needs a reset: while a client has the GPU open, the new mode stays pending until the next
        reset (MIG user guide). We infer that Hopper refuses the switch while a client has the GPU open.
        """
        if not self.mig_capable:
            raise NotSupported(f"GPU {self.index}: MIG mode of {self.product}")
        if enabled == self.mode:
            self.pending = enabled
            return
        if self.clients:
            if self.resets_on_mode_change:
                self.pending = enabled
            raise InUse(f"GPU {self.index}: MIG mode (client {self.clients[0].name})")
        self.mode = self.pending = enabled
        self.instances.clear()

    def create(self, profile: str, compute_slices: int | None = None) -> GpuInstance:
        """Create a GPU instance at the driver's choice of placement, with one compute instance.

        The compute instance has ``compute_slices`` compute slices; by default, all of the GPU instance's.
        """
        instance = self.create_gpu_instance(profile)
        try:
            return self.split(instance.id, compute_slices or self.model.profile(profile).compute_slices)
        except DriverError:
            self.instances.remove(instance)
            raise

    def create_gpu_instance(self, profile: str, start: int | None = None) -> GpuInstance:
        """Create a GPU instance without a compute instance; by default, at the driver's choice of placement."""
        if not self.mode:
            raise NotSupported(f"GPU {self.index}: GPU instance {profile} with MIG mode off")
        try:
            facts = self.model.profile(profile)
        except MigError:
            raise NotSupported(f"GPU {self.index}: profile {profile} on {self.model.name}") from None
        if self._is_exhausted(facts):
            raise InsufficientResources(f"GPU {self.index}: another {profile}")
        taken = [Placement(each.profile, each.start, each.size) for each in self.instances]
        placement = driver_choice(self.model, taken, profile)
        if placement is not None and start is not None:
            placement = self._placed(facts, start)
        if placement is None:
            raise InsufficientResources(f"GPU {self.index}: GPU instance {profile}")
        self.created += 1
        place = placement.start, placement.size
        instance = GpuInstance(self._free_id(placement.size), facts.name, *place, serial=self.created)
        self.instances.append(instance)
        return instance

    def split(self, instance_id: int, slices: int) -> GpuInstance:
        """Create one more compute instance of ``slices`` compute slices in a GPU instance that has them free."""
        instance = self.instance(instance_id)
        offered = [each for each in compute_profiles(self.model.profile(instance.profile)) if each.slices == slices]
        if not offered:
            raise NotSupported(f"GPU {self.index}: {slices} of the compute slices of {instance.profile}")
        self.create_compute_instance(instance_id, offered[0].ci_profile_id)
        return self.instance(instance_id)

    def create_compute_instance(self, instance_id: int, profile_id: int) -> ComputeInstance:
        """Create a compute instance of a profile, by its id, in a GPU instance that has its compute slices free."""
        instance = self.instance(instance_id)
        facts = self.model.profile(instance.profile)
        offered = {each.ci_profile_id: each.slices for each in compute_profiles(facts)}
        if profile_id not in offered:
            raise NotSupported(f"GPU {self.index}: compute instance profile {profile_id} of {instance.profile}")
        slices = offered[profile_id]
        start = instance.free_start(slices, facts.compute_slices)
        if start is None:
            raise InsufficientResources(f"GPU {self.index}: compute instance of {slices} in {instance.profile}")
        created = ComputeInstance(instance.free_id(), profile_id, start, slices)
        self._replace(instance, (*instance.compute, created))
        return created

    def destroy(self, instance_id: int) -> None:
        """Destroy a GPU instance with its compute instances; raises :class:`InUse` while a client uses it."""
        instance = self.instance(instance_id)
        self._require_unused(instance)
        self.instances.remove(instance)

    def destroy_compute_instance(self, instance_id: int, compute_id: int) -> None:
        """Destroy a compute instance; raises :class:`InUse` while a client uses its GPU instance."""
        instance = self.instance(instance_id)
        rest = tuple(each for each in instance.compute if each.id != compute_id)
        if rest == instance.compute:
            raise NotFound(f"GPU {self.index}: compute instance {compute_id} of {instance.profile}")
        self._require_unused(instance)
        self._replace(instance, rest)

    def destroy_gpu_instance(self, instance_id: int) -> None:
        """Destroy a GPU instance; raises :class:`InUse` while it has a compute instance or a client."""
        if self.instance(instance_id).compute:
            raise InUse(f"GPU {self.index}: GPU instance {instance_id} has compute instances")
        self.destroy(instance_id)

    def clear(self) -> None:
        """Destroy every instance; raises :class:`InUse` at the first one in use, with earlier ones destroyed."""
        for instance in list(self.instances):
            self.destroy(instance.id)

    def power_cycle(self) -> None:
        """The effect of a reboot: no instances, no clients; a pending mode takes effect.

        MIG mode survives on Ampere and is off again on Hopper and newer (MIG user guide).
        """
        self.instances.clear()
        self.clients.clear()
        if self.pending == self.mode and not self.resets_on_mode_change:
            self.pending = False
        self.mode = self.pending

    def instance(self, instance_id: int) -> GpuInstance:
        for instance in self.instances:
            if instance.id == instance_id:
                return instance
        raise NotFound(f"GPU {self.index}: GPU instance {instance_id}")

    def instance_at(self, start: int) -> GpuInstance:
        """The GPU instance that starts at this memory slice."""
        for instance in self.instances:
            if instance.start == start:
                return instance
        raise NotFound(f"GPU {self.index}: GPU instance at memory slice {start}")

    def mig_uuid(self, instance: GpuInstance, compute: ComputeInstance) -> str:
        """The same until the instance is destroyed; one that is created again in its place has another.

        Unproven: field reports say that recent drivers derive it from the place.
        """
        return f"MIG-{uuid.uuid5(uuid.NAMESPACE_OID, f'{self.uuid}/{instance.serial}/{instance.id}/{compute.id}')}"

    def _replace(self, instance: GpuInstance, compute: tuple[ComputeInstance, ...]) -> None:
        self.instances[self.instances.index(instance)] = replace(instance, compute=compute)

    def _require_unused(self, instance: GpuInstance) -> None:
        for client in self.clients:
            if client.instance in (None, instance.id):
                raise InUse(f"GPU {self.index}: GPU instance {instance.id} {instance.profile} (client {client.name})")

    def _placed(self, facts: GpuProfile, start: int) -> Placement | None:
        """The placement at a start; None if it is not one of the profile's starts, or not free."""
        free = all(start + facts.size <= each.start or each.start + each.size <= start for each in self.instances)
        return Placement(facts.name, start, facts.size) if free and start in facts.starts else None

    def _is_exhausted(self, facts: GpuProfile) -> bool:
        same = sum(each.profile == facts.name for each in self.instances)
        return same >= facts.max_instances or len(self.instances) >= self.model.max_gpu_instances

    def _free_id(self, size: int) -> int:
        """The first free id: 0 for the whole GPU, from 1 for halves, from 3 for quarters, from 7 for eighths.

        Source: published logs of real drivers.
        """
        fractions = max(1, self.model.memory_slices // size)
        first = (1 << (fractions - 1).bit_length()) - 1
        taken = {each.id for each in self.instances}
        return next(candidate for candidate in range(first, 64) if candidate not in taken)


def bus_id(index: int) -> str:
    """A PCI address, spaced as on an eight-GPU board."""
    return f"00000000:{0x1B + 0x12 * index:02X}:00.0"


def new_gpu(node: str, index: int, model: str, product: str | None = None) -> Gpu:
    """A new GPU: MIG off, UUID derived from the node's name and the index."""
    facts = gpus.find(model)
    name = product or (facts.product_names[0] if facts.product_names else f"NVIDIA {facts.name}")
    return Gpu(index, facts, name, f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{index}.{node}')}", bus_id(index))
