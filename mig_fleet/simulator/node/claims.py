"""The devices of a pod's ResourceClaims, as a kubelet prepares them: the scheduler has allocated them by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mig_fleet.model.dra import DRIVER
from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.driver import Client
from mig_fleet.simulator.driver.dra_names import find
from mig_fleet.simulator.driver.state import DriverFile
from mig_fleet.simulator.errors import ApiError, SimulatorError
from mig_fleet.simulator.node.pod import Pod

CLAIMS: Final = "/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims/{name}"


class NotPrepared(SimulatorError):
    """A claim's device does not exist now. The pod waits, and the kubelet tries again."""


def claim_names(pod: Json) -> list[str]:
    """The ResourceClaims of a pod: those it names, those of its templates, and the one for extended resources."""
    status = pod.get("status") or {}
    of_template = {it["name"]: it.get("resourceClaimName") for it in status.get("resourceClaimStatuses") or ()}
    named = [
        it.get("resourceClaimName") or of_template.get(it["name"]) for it in pod["spec"].get("resourceClaims") or ()
    ]
    extended = (status.get("extendedResourceClaimStatus") or {}).get("resourceClaimName")
    return [name for name in (*named, extended) if name]


async def allocated_names(api: Api, pod: Pod) -> list[str]:
    """The devices of NVIDIA's driver that are allocated to a pod. Raises :class:`NotPrepared`."""
    found: list[str] = []
    for name in claim_names(pod.json):
        try:
            claim = await api.get(CLAIMS.format(namespace=pod.namespace, name=name))
        except ApiError as exc:
            raise NotPrepared(f"failed to get ResourceClaim {name}: {exc}") from None
        results = ((claim.get("status") or {}).get("allocation") or {}).get("devices", {}).get("results") or ()
        found += [result["device"] for result in results if result["driver"] == DRIVER]
    return found


@contextmanager
def prepared(file: DriverFile, pod: Pod, names: list[str]) -> Iterator[None]:
    """Use devices for the length of the ``with`` block: the pod is a client of the driver and blocks changes. Raises
    :class:`NotPrepared`.
    """
    client = f"{pod.namespace}/{pod.name}"
    if not names:
        yield
        return
    with file.change() as driver:
        found = {name: find(driver, name) for name in names}
        missing = sorted(name for name, device in found.items() if device is None)
        if missing:
            raise NotPrepared(f"NodePrepareResources failed: {', '.join(missing)}: the device does not exist")
        for gpu, instance in filter(None, found.values()):
            gpu.clients.append(Client(client, instance.id if instance else None))
    try:
        yield
    finally:
        with file.change() as driver:
            for gpu in driver.gpus:
                gpu.clients = [each for each in gpu.clients if each.name != client]
