"""The probe without its own process, for fleets of hundreds of nodes: the simulator writes the report itself.

The report, its ConfigMap and the moments at which it is written are those of the real probe. Not simulated are the
probe's program, its rights, its token, its use of NVML and its call of the kubelet. It requests no Node, because the
simulator has it.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Mapping
from typing import Final

from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.model.allocation import NOT_ASKED, NVML_INCOMPLETE, POD_RESOURCES, Allocation, sort_allocations
from mig_fleet.model.report import HEARTBEAT_S, ComputeInstance, Gpu, Instance, Report
from mig_fleet.model.report_grammar import LONGEST_TEXT
from mig_fleet.simulator import driver
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.driver.text import board, memory_mib
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node.container import Container

DEFAULTS: Final = {"--interval": 15.0, "--heartbeat": HEARTBEAT_S}
"""Flags of the real probe's command line, in seconds."""
OPTION: Final = "--pod-resources"
UUIDS: Final = "--mig-uuids"

Kubelet = tuple[tuple[Allocation, ...] | None, str]
"""The allocations, or None and why they are not known."""


async def run(container: Container) -> int:
    """Read at each interval and when the node changes; publish a report that differs from the last one, or when the
    heartbeat is due.

    With :attr:`Fault.PROBE_DEAD` it ends at its next reading.
    """
    interval_s, heartbeat_s = (_flag(container, name) for name in DEFAULTS)
    node, news = container.node, asyncio.Event()

    def note(before: Json, after: Json) -> None:
        if _key(before) != _key(after) and _key(after)[1] is not None:
            news.set()

    published, published_at, seen = None, 0.0, None
    with node.listening(note):
        while Fault.PROBE_DEAD not in node.faults:
            news.clear()
            kubelet = allocations(container)
            now = node.driver_stamp, _key(node.object), kubelet
            due = time.monotonic() - published_at >= heartbeat_s
            changed = now != seen or due
            uuids = UUIDS in _words(container)
            report = (
                read(node.name, node.driver, node.labels, node.annotations, kubelet, mig_uuids=uuids)
                if changed
                else published
            )
            seen = now
            if report is not None and (report != published or due):
                try:
                    await _publish(container, report)
                    published, published_at = report, time.monotonic()
                    text = f"published config {report.config!r}, state {report.state!r}, {len(report.gpus)} GPUs"
                    container.log(text)
                except ApiError as exc:
                    container.log(str(exc))
                    seen = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await news.wait()
    return 1


def _key(node: Json) -> tuple[str | None, str | None, str | None]:
    """Config, state and attempt."""
    found, notes = node["metadata"].get("labels") or {}, node["metadata"].get("annotations") or {}
    return found.get(labels.CONFIG), found.get(labels.STATE), notes.get(labels.ATTEMPT)


def allocations(container: Container) -> Kubelet:
    """What the real probe reports of the kubelet's answer; it asks only if its command says so."""
    if OPTION not in _words(container):
        return None, NOT_ASKED
    listed = container.node.pod_resources.list()
    if listed is None:
        return None, f"the kubelet did not answer on {POD_RESOURCES}/kubelet.sock: no answer within 2 s"
    devices: dict[str, tuple[int | None, int | None, int | None]] = {}
    for gpu in container.node.driver.gpus:
        devices[gpu.uuid] = gpu.index, None, None
        for instance in gpu.instances:
            for compute in instance.compute:
                devices[gpu.mig_uuid(instance, compute)] = gpu.index, instance.id, compute.id
    found = sort_allocations(
        Allocation(pod.namespace, pod.name, resource, *devices.get(device_id, (None, None, None)))
        for pod in listed
        for resource, device_id in pod.devices
    )
    return found, ""


def read(
    node: str,
    found: driver.Driver,
    node_labels: Mapping[str, str],
    annotations: Mapping[str, str],
    kubelet: Kubelet = (None, NOT_ASKED),
    *,
    mig_uuids: bool = False,
) -> Report | None:
    """The real probe's report for a node with this driver; ``None`` while MIG Manager changes the GPUs."""
    state = node_labels.get(labels.STATE)
    if state in labels.BUSY_STATES:
        return None
    attempt = annotations.get(labels.ATTEMPT)
    errors = tuple(f"{call}: NVML returned {code}" for call, code in sorted(found.errors.items()))
    return Report(
        node=node,
        driver_version="" if errors else found.version,
        config=node_labels.get(labels.CONFIG),
        state=state,
        gpus=() if errors else tuple(_gpu(gpu, mig_uuids) for gpu in found.gpus),
        errors=errors,
        attempt=attempt and printable(attempt, LONGEST_TEXT),
        allocations=None if errors else kubelet[0],
        allocations_error=NVML_INCOMPLETE if errors and kubelet[1] != NOT_ASKED else kubelet[1],
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


def _gpu(gpu: driver.Gpu, mig_uuids: bool) -> Gpu:
    return Gpu(
        index=gpu.index,
        uuid=gpu.uuid,
        pci_id=board(gpu.model),
        product=gpu.product,
        memory_mib=memory_mib(gpu.model),
        mig_mode_current=gpu.mode if gpu.mig_capable else None,
        mig_mode_pending=gpu.pending if gpu.mig_capable else None,
        instances=tuple(
            _instance(gpu, instance, mig_uuids)
            for instance in sorted(gpu.instances, key=lambda instance: instance.id)
            if gpu.mode
        ),
        model=gpu.model.name if gpu.model.pci_device_ids else None,
        profile_names=_profile_names(gpu),
    )


def _profile_names(gpu: driver.Gpu) -> tuple[str, ...] | None:
    """In the order of NVML's numbers, in which the probe asks for them."""
    return tuple(row.name for row in sorted(gpu.model.profiles.values(), key=lambda row: row.nvml_enum)) or None


def _instance(gpu: driver.Gpu, instance: driver.GpuInstance, mig_uuids: bool) -> Instance:
    compute = tuple(
        ComputeInstance(
            each.id,
            gpu.device_name(instance, each),
            each.slices,
            gpu.mig_uuid(instance, each) if mig_uuids else None,
        )
        for each in sorted(instance.compute, key=lambda each: each.id)
    )
    return Instance(instance.id, instance.profile, instance.start, instance.size, compute)


def _words(container: Container) -> list[str]:
    spec = container.pod.first_container
    return [*(spec.get("command") or []), *(spec.get("args") or [])]


def _flag(container: Container, name: str) -> float:
    words = _words(container)
    return float(words[words.index(name) + 1]) if name in words else DEFAULTS[name]
