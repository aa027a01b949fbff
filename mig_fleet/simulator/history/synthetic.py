"""A cluster that never ran, for the history of days: declared nodes, layouts and pods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mig_fleet.model import gpus, labels
from mig_fleet.model.labels import GPU_RESOURCE
from mig_fleet.model.profiles import Profile
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.driver import Client, Gpu
from mig_fleet.simulator.driver.gpu import new_gpu
from mig_fleet.simulator.driver.state import Driver
from mig_fleet.simulator.history.snapshot import Snapshot
from mig_fleet.simulator.node.allocation import AllocationFailed, free_devices
from mig_fleet.simulator.operands import device_plugin, feature_discovery
from mig_fleet.simulator.telemetry.activity import ACTIVITY, MEMORY

DRIVER_VERSION = "580.126.09"
CUDA = 13000


@dataclass(frozen=True, slots=True)
class SyntheticPod:
    """A pod with ``count`` slices of a profile; without a profile, GPUs without MIG."""

    name: str
    profile: str = ""
    count: int = 1
    namespace: str = "default"
    activity: float | None = None
    """The level of its activity, 0 to 1; by default it follows from the pod's name."""
    memory: float | None = None
    """The share of its slices' memory that it uses, 0 to 1; by default it follows from the pod's name."""

    @property
    def resource(self) -> str:
        return Profile.parse(self.profile).resource if self.profile else GPU_RESOURCE


@dataclass(frozen=True, slots=True)
class SyntheticNode:
    """A node that was verified with a config, and the pods on it."""

    name: str
    gpu: str
    """GPU model, a name of the catalog."""
    layout: Sequence[Mapping[str, int] | None]
    """Profile → count for each GPU; None is MIG off."""
    pool: str
    config: str
    pods: Sequence[SyntheticPod] = ()


def synthetic_snapshot(nodes: Sequence[SyntheticNode], pending: Sequence[SyntheticPod] = ()) -> Snapshot:
    """The cluster; ``pending`` pods have no node. Raises :class:`AllocationFailed` if a node lacks the slices of a pod,
    and :class:`~mig_fleet.simulator.errors.DriverError` for a layout that its GPU cannot have.
    """
    drivers = {node.name: _driver(node) for node in nodes}
    return Snapshot(
        drivers=drivers,
        nodes=[_node(node, drivers[node.name]) for node in nodes],
        pods=[
            *(_pod(pod, node.name) for node in nodes for pod in node.pods),
            *(_pod(pod, None) for pod in pending),
        ],
    )


def _driver(node: SyntheticNode) -> Driver:
    driver = Driver(DRIVER_VERSION, CUDA, [])
    for index, profiles in enumerate(node.layout):
        gpu = new_gpu(node.name, index, node.gpu)
        driver.gpus.append(gpu)
        if profiles is not None:
            gpu.set_mode(True)
            _create(gpu, profiles)
    for pod in node.pods:
        free = free_devices(driver, pod.resource)
        if len(free) < pod.count:
            raise AllocationFailed(f"{node.name} has {len(free)} free {pod.resource}, {pod.name} requests {pod.count}")
        for index, instance in free[: pod.count]:
            client = Client(f"{pod.namespace}/{pod.name}", instance.id if instance else None)
            driver.gpus[index].clients.append(client)
    return driver


def _create(gpu: Gpu, profiles: Mapping[str, int]) -> None:
    """Large instances first: the driver finds a place for each of them."""
    for profile in sorted(profiles, key=lambda name: gpu.model.profile(name).size, reverse=True):
        for _ in range(profiles[profile]):
            gpu.create(profile)


def _node(node: SyntheticNode, driver: Driver) -> Json:
    return {
        "metadata": {
            "name": node.name,
            "labels": {
                **feature_discovery.discovered(driver, "synthetic", "mixed"),
                labels.CONFIG: node.config,
                labels.STATE: "success",
                labels.MODEL: gpus.find(node.gpu).short,
            },
            "annotations": {labels.VERIFIED_CONFIG: node.config, labels.WAVE: f"{node.pool}-canary"},
        },
        "spec": {},
        "status": {"allocatable": {name: str(n) for name, n in device_plugin.resources(driver, "mixed").items()}},
    }


def _pod(pod: SyntheticPod, node: str | None) -> Json:
    levels = {ACTIVITY: pod.activity, MEMORY: pod.memory}
    metadata = {
        "name": pod.name,
        "namespace": pod.namespace,
        "uid": f"uid-{pod.name}",
        "annotations": {name: str(level) for name, level in levels.items() if level is not None},
    }
    requests = {pod.resource: str(pod.count)}
    container = {"name": "main", "resources": {"requests": requests, "limits": requests}}
    return {
        "metadata": metadata,
        "spec": {"containers": [container], **({"nodeName": node} if node else {})},
        "status": {"phase": "Running" if node else "Pending"},
    }
