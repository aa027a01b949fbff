"""Which pod has which device or waits for one, by the ResourceClaims: the API server knows it, no kubelet is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.foreign_text import printable
from mig_fleet.model.dra import DRIVER, DraDevice
from mig_fleet.observed.dra.awaited_slices import AwaitedSlices, ClaimName, awaited_slices
from mig_fleet.observed.dra.objects import RESOURCE_CLAIMS, ResourceClaimObject
from mig_fleet.observed.dra.resource_slices import Publication

UNKNOWN_RESOURCE: Final = DRIVER
"""In the place of a resource's name: a device that is not published any more, so that its profile is not known."""


@dataclass(frozen=True, slots=True, order=True)
class ClaimedDevice:
    """One device of a pod's claim."""

    claim: str
    """``<namespace>/<name>``."""
    pool: str
    """The node that has the device: NVIDIA's driver makes a pool for each node."""
    name: str
    device: DraDevice | None
    """As it is published; None if it is not published any more."""

    @property
    def resource(self) -> str:
        """Its kind, under the name that the device plugin gives it."""
        return self.device.resource if self.device else UNKNOWN_RESOURCE


@dataclass(frozen=True, slots=True)
class Claims:
    """The ResourceClaims of all namespaces."""

    devices: Mapping[str, tuple[ClaimedDevice, ...]]
    """UID of a pod → its devices, sorted."""
    awaited: Mapping[ClaimName, AwaitedSlices]
    """What each of them asks for that is not allocated yet."""


CLAIMED: Final = "claimedDevices"
"""Key of ours in a listed pod: its devices. The rest of a rollout then reads pods in one way."""

AWAITED: Final = "awaitedSlices"
"""Another one, in a pod that is not scheduled: its :class:`AwaitedSlices`."""


def read_claims(cluster: Cluster, published: Mapping[str, Publication]) -> Claims:
    """The devices of NVIDIA's driver that are allocated to pods, and the slices that others wait for, in one LIST of
    all namespaces. ``published`` is by node. A claim that cannot be read has no devices here: its pod counts as one
    without. Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    items, _ = cluster.read_items(RESOURCE_CLAIMS, ResourceClaimObject)
    found: dict[str, list[ClaimedDevice]] = {}
    for item in items:
        for consumer in item.status.reserved_for or ():
            if consumer.resource == "pods":
                found.setdefault(consumer.uid, []).extend(_devices(item, published))
    devices = {uid: tuple(sorted(each, key=_order)) for uid, each in found.items() if each}
    asked = {(item.metadata.namespace, item.metadata.name): AwaitedSlices.of_claim(item) for item in items}
    return Claims(devices, {name: slices for name, slices in asked.items() if slices.resources})


def with_claims(pods: Iterable[Json], claims: Claims) -> list[Json]:
    """The pods as the API server lists them; those with devices have these under :data:`CLAIMED`, and those that wait
    for some have them under :data:`AWAITED`.
    """
    pods = list(pods)
    awaited = awaited_slices(pods, claims.awaited)
    found = ((pod, pod["metadata"].get("uid", "")) for pod in pods)
    return [_with(pod, claims.devices.get(uid), awaited.get(uid)) for pod, uid in found]


def _with(pod: Json, devices: tuple[ClaimedDevice, ...] | None, awaited: AwaitedSlices | None) -> Json:
    added: Json = {key: found for key, found in ((CLAIMED, devices), (AWAITED, awaited)) if found}
    return {**pod, **added} if added else pod


def _devices(item: ResourceClaimObject, published: Mapping[str, Publication]) -> list[ClaimedDevice]:
    allocation = item.status.allocation
    name = f"{printable(item.metadata.namespace)}/{printable(item.metadata.name)}"
    return [
        ClaimedDevice(
            name,
            printable(result.pool),
            printable(result.device),
            publication.find(result.device) if (publication := published.get(result.pool)) else None,
        )
        for result in (allocation.devices.results if allocation else None) or ()
        if result.driver == DRIVER
    ]


def _order(device: ClaimedDevice) -> tuple[str, str, str]:
    return device.claim, device.pool, device.name
