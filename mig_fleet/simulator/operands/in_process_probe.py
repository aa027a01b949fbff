"""The probe without its own process, for fleets of hundreds of nodes: the simulator writes the report itself.

The report, its ConfigMap and the moments at which it is written are those of the real probe. Not simulated are the
probe's program, its rights, its token and its use of NVML. It requests no Node, because the simulator has it.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Final

from mig_fleet.model import labels
from mig_fleet.model.report import HEARTBEAT_S, ComputeInstance, Gpu, Instance, Report
from mig_fleet.simulator import driver
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.driver.text import board, memory_mib
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node.container import Container

BUSY: Final = ("pending", "rebooting")
"""States in which MIG Manager changes the GPUs."""
BUSY_PAUSE_S: Final = 2.0
DEFAULTS: Final = {"--interval": 15.0, "--heartbeat": HEARTBEAT_S}
"""Flags of the real probe's command line, in seconds."""


async def run(container: Container) -> int:
    """Read at each interval; publish a report that differs from the last one, or when the heartbeat is due.

    With :attr:`Fault.PROBE_DEAD` it ends at its next reading.
    """
    interval_s, heartbeat_s = (_flag(container, name) for name in DEFAULTS)
    node = container.node
    published, published_at, seen = None, 0.0, None
    while Fault.PROBE_DEAD not in node.faults:
        attempt = node.annotations.get(labels.ATTEMPT)
        now = node.driver_stamp, node.labels.get(labels.CONFIG), node.labels.get(labels.STATE), attempt
        due = time.monotonic() - published_at >= heartbeat_s
        changed = now != seen or due
        report = read(node.name, node.driver, node.labels, node.annotations) if changed else published
        seen = now
        if report is not None and (report != published or due):
            try:
                await _publish(container, report)
                published, published_at = report, time.monotonic()
                container.log(f"published config {report.config!r}, state {report.state!r}, {len(report.gpus)} GPUs")
            except ApiError as exc:
                container.log(str(exc))
                seen = None
        busy = node.labels.get(labels.STATE) in BUSY
        await asyncio.sleep(min(interval_s, BUSY_PAUSE_S) if busy else interval_s)
    return 1


def read(
    node: str, found: driver.Driver, node_labels: Mapping[str, str], annotations: Mapping[str, str]
) -> Report | None:
    """The real probe's report for a node with this driver; ``None`` while MIG Manager changes the GPUs."""
    state = node_labels.get(labels.STATE)
    if state in BUSY:
        return None
    errors = tuple(f"{call}: NVML returned {code}" for call, code in sorted(found.errors.items()))
    return Report(
        node=node,
        driver_version="" if errors else found.version,
        config=node_labels.get(labels.CONFIG),
        state=state,
        gpus=() if errors else tuple(_gpu(gpu) for gpu in found.gpus),
        errors=errors,
        attempt=annotations.get(labels.ATTEMPT),
    )


async def _publish(container: Container, report: Report) -> None:
    node, api = container.node, container.node.api
    collection = f"/api/v1/namespaces/{container.pod.namespace}/configmaps"
    metadata = node.object["metadata"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": metadata["uid"]}
    body: Json = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": labels.REPORT_PREFIX + node.name,
            "labels": {labels.REPORT_LABEL: "true", "app.kubernetes.io/managed-by": labels.PROBE},
            "annotations": {labels.HEARTBEAT: secrets.token_hex(4)},
            "ownerReferences": [owner],
        },
        "data": {labels.REPORT_KEY: report.to_json()},
    }
    try:
        await api.patch(f"{collection}/{body['metadata']['name']}", body, labels.PROBE)
    except ApiError as exc:
        if exc.status != 404:
            raise
        await api.create(collection, body, labels.PROBE)


def _gpu(gpu: driver.Gpu) -> Gpu:
    return Gpu(
        index=gpu.index,
        uuid=gpu.uuid,
        pci_id=board(gpu.model),
        product=gpu.product,
        memory_mib=memory_mib(gpu.model),
        mig_mode_current=gpu.mode if gpu.mig_capable else None,
        mig_mode_pending=gpu.pending if gpu.mig_capable else None,
        instances=tuple(
            _instance(gpu, instance) for instance in sorted(gpu.instances, key=lambda instance: instance.id) if gpu.mode
        ),
        model=gpu.model.name if gpu.model.pci_device_ids else None,
    )


def _instance(gpu: driver.Gpu, instance: driver.GpuInstance) -> Instance:
    compute = tuple(
        ComputeInstance(each.id, gpu.device_name(instance, each), each.slices)
        for each in sorted(instance.compute, key=lambda each: each.id)
    )
    return Instance(instance.id, instance.profile, instance.start, instance.size, compute)


def _flag(container: Container, name: str) -> float:
    spec = container.pod.first_container
    words = [*(spec.get("command") or []), *(spec.get("args") or [])]
    return float(words[words.index(name) + 1]) if name in words else DEFAULTS[name]
