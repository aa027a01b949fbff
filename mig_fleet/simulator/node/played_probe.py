"""The probe without a process of its own, for fleets of hundreds of nodes: it writes the report itself.

The document, its ConfigMap and the moments at which it is written are those of the real probe. What it leaves out is
the probe's program, with its rights, its token and its NVML; and it asks for no Node, because the simulator knows it.
"""

import asyncio
import secrets
import time
from typing import Final

from mig_fleet.model import labels
from mig_fleet.model.report import HEARTBEAT_S, ComputeInstance, Gpu, Instance, Report
from mig_fleet.simulator import driver
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.driver.text import board, memory_mib
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node.context import Context
from mig_fleet.simulator.node.node import SimulatedNode

BUSY: Final = ("pending", "rebooting")
BUSY_PAUSE_S: Final = 2.0
DEFAULTS: Final = {"--interval": 15.0, "--heartbeat": HEARTBEAT_S}
"""Flags of the real probe's command line, in seconds."""


async def run(context: Context) -> int:
    """Look again and again, and publish what changed or is due; a dead probe ends at its next look."""
    interval_s, heartbeat_s = (_flag(context, name) for name in DEFAULTS)
    node = context.node
    published, heard_at, seen = None, 0.0, None
    while Fault.PROBE_DEAD not in node.faults:
        now = node.driver_stamp, node.labels.get(labels.CONFIG), node.labels.get(labels.STATE), attempt_of(node)
        due = time.monotonic() - heard_at >= heartbeat_s
        report = read(node) if now != seen or due else published
        seen = now
        if report is not None and (report != published or due):
            try:
                await _publish(context, report)
                published, heard_at = report, time.monotonic()
                context.say(f"published config {report.config!r}, state {report.state!r}, {len(report.gpus)} GPUs")
            except ApiError as exc:
                context.say(str(exc))
                seen = None
        busy = node.labels.get(labels.STATE) in BUSY
        await asyncio.sleep(min(interval_s, BUSY_PAUSE_S) if busy else interval_s)
    return 1


def read(node: SimulatedNode) -> Report | None:
    """What the real probe would read; ``None`` while MIG Manager works."""
    state = node.labels.get(labels.STATE)
    if state in BUSY:
        return None
    found = node.driver
    errors = tuple(f"{call}: NVML answered {code}" for call, code in sorted(found.errors.items()))
    return Report(
        node=node.name,
        driver_version="" if errors else found.version,
        config=node.labels.get(labels.CONFIG),
        state=state,
        gpus=() if errors else tuple(_gpu(gpu) for gpu in found.gpus),
        errors=errors,
        attempt=attempt_of(node),
    )


def attempt_of(node: SimulatedNode) -> str | None:
    return node.annotations.get(labels.ATTEMPT)


async def _publish(context: Context, report: Report) -> None:
    node, api = context.node, context.node.cluster.api
    collection = f"/api/v1/namespaces/{context.pod.namespace}/configmaps"
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
    shares = tuple(
        ComputeInstance(share.id, gpu.device_name(instance, share), share.slices)
        for share in sorted(instance.compute, key=lambda share: share.id)
    )
    return Instance(instance.id, instance.profile, instance.start, instance.size, shares)


def _flag(context: Context, name: str) -> float:
    container = context.pod.container
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    return float(words[words.index(name) + 1]) if name in words else DEFAULTS[name]
