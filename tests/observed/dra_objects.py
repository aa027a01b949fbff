"""ResourceSlices and ResourceClaims as NVIDIA's DRA driver v0.4.1 and the scheduler write them."""

from typing import Any

from mig_fleet.model.dra import DRIVER
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.operands import dra_devices

Json = dict[str, Any]


def a_slice(
    node: str, devices: list[Json], *, name: str = "", generation: int = 1, count: int = 1, driver: str = DRIVER
) -> Json:
    return {
        "metadata": {"name": name or f"00000-{driver}-{node}-abcde"},
        "spec": {
            "driver": driver,
            "nodeName": node,
            "pool": {"name": node, "generation": generation, "resourceSliceCount": count},
            "devices": devices,
        },
    }


def of_driver(node: str, driver: Driver) -> Json:
    """What the driver publishes for a node with these GPUs; the conformance suite compares it with NVIDIA's program."""
    return a_slice(node, dra_devices.devices(driver))


def a_claim(name: str, node: str, devices: list[str], pods: dict[str, str], driver: str = DRIVER) -> Json:
    """An allocated claim; ``pods`` are names and uids of those that may use it."""
    results = [{"request": "r", "driver": driver, "pool": node, "device": device} for device in devices]
    return {
        "metadata": {"name": name, "namespace": "team"},
        "status": {
            "allocation": {"devices": {"results": results}},
            "reservedFor": [{"resource": "pods", "name": pod, "uid": uid} for pod, uid in pods.items()],
        },
    }


def an_open_claim(name: str, *requests: Json, **devices: Any) -> Json:
    """A claim that is not allocated; ``devices`` are other fields of `spec.devices`."""
    return {
        "metadata": {"name": name, "namespace": "team"},
        "spec": {"devices": {"requests": list(requests), **devices}},
        "status": {},
    }
