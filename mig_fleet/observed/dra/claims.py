"""Which pod has which device, by the allocated ResourceClaims: the API server knows it, no kubelet is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.foreign_text import printable
from mig_fleet.model.dra import DRIVER, DraDevice
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


Claims = Mapping[str, tuple[ClaimedDevice, ...]]
"""UID of a pod → its devices, sorted."""

NO_CLAIMS: Final[Claims] = {}

CLAIMED: Final = "claimedDevices"
"""Key of ours in a listed pod: its devices. The rest of a rollout then reads pods in one way."""


def read_claims(cluster: Cluster, published: Mapping[str, Publication]) -> Claims:
    """The devices of NVIDIA's driver that are allocated to pods, in one LIST of all namespaces. ``published`` is by
    node. A claim that cannot be read has no devices here: its pod counts as one without. Raises
    :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    items, _ = cluster.read_items(RESOURCE_CLAIMS, ResourceClaimObject)
    found: dict[str, list[ClaimedDevice]] = {}
    for item in items:
        for consumer in item.status.reserved_for or ():
            if consumer.resource == "pods":
                found.setdefault(consumer.uid, []).extend(_devices(item, published))
    return {uid: tuple(sorted(devices, key=_order)) for uid, devices in found.items() if devices}


def with_claims(pods: Iterable[Json], claims: Claims) -> list[Json]:
    """The pods as the API server lists them; those with devices have these under :data:`CLAIMED`."""
    found = ((pod, claims.get(pod["metadata"].get("uid", ""), ())) for pod in pods)
    return [{**pod, CLAIMED: devices} if devices else pod for pod, devices in found]


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
