"""Nodes with eight H100 that have their declared layout, as objects on a real API server; nothing runs on them.

The first node and its report are created like any other object. The others are copies of what the API server then
returns, written into etcd: ten thousand creations would take the API server a minute.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import grpc

from mig_fleet.model import labels
from mig_fleet.model.gfd import expected_labels
from mig_fleet.model.gpus import find
from mig_fleet.model.layouts import Layout
from mig_fleet.model.report import ComputeInstance, Gpu, Instance, Report
from mig_fleet.model.strategy import Strategy
from mig_fleet.probe.watch import config_map
from mig_fleet.rollout.batching import Pace, waves
from mig_fleet.simulator.api import Api, Json

GPUS = 8
LAYOUT = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})
OPERATOR = "gpu-operator"
REPORTS = "mig-fleet"
IMAGES = 50
"""As many as a kubelet lists (``nodeStatusMaxImages``)."""
PARALLEL_WRITES = 64

Annotations = Mapping[str, Mapping[str, str]]
"""Node → its annotations."""


def a_node(name: str) -> Json:
    """The Node object of a node that has its layout."""
    allocatable = {key: str(count) for key, count in LAYOUT.allocatable(GPUS, Strategy.MIXED).items()}
    found = {labels.CONFIG: LAYOUT.config_name, labels.STATE: "success", labels.CAPABLE: "true"}
    capacity = {"cpu": "128", "memory": "1056Gi", "pods": "110", **allocatable}
    images = [{"names": [f"registry.example/team/image-{n}@sha256:{n:064x}"], "sizeBytes": n} for n in range(IMAGES)]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**found, **expected_labels(LAYOUT.per_gpu(GPUS), Strategy.MIXED)}},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [{"type": "Ready", "status": "True"}],
            "images": images,
        },
    }


def a_report(name: str, number: int) -> Json:
    """The ConfigMap that the node's probe would have written; ``number`` makes the UUIDs of its GPUs unique."""
    slices = tuple(Instance(n + 7, "1g.10gb", n, 1, (ComputeInstance(0, "1g.10gb", 1),)) for n in range(7))
    rows = sorted(find(LAYOUT.gpu).profiles.values(), key=lambda row: row.nvml_enum)
    gpus = tuple(
        Gpu(
            index=index,
            uuid=f"GPU-{UUID(int=number * GPUS + index)}",
            pci_id="0x233010DE",
            product="NVIDIA H100 80GB HBM3",
            memory_mib=81559,
            mig_mode_current=True,
            mig_mode_pending=True,
            instances=slices,
            model=LAYOUT.gpu,
            profile_names=tuple(row.name for row in rows),
        )
        for index in range(GPUS)
    )
    report = Report(name, "580.126.09", LAYOUT.config_name, "success", gpus, allocations=())
    return config_map({"metadata": {"name": name, "uid": uid(number)}}, report)


def uid(number: int) -> str:
    """Of a node."""
    return str(UUID(int=number + 1))


def deployed_annotations(pools: Mapping[str, Iterable[str]]) -> Annotations:
    """What an update of pools with these nodes writes, so that it finds nothing to write."""
    config = {labels.PREVIOUS_CONFIG: LAYOUT.config_name, labels.VERIFIED_CONFIG: LAYOUT.config_name}
    return {
        node: {labels.WAVE: f"{pool}-{wave}", **config}
        for pool, members in pools.items()
        for wave, nodes in waves(members, Pace()).items()
        for node in nodes
    }


async def populate(directory: Path, names: Iterable[str], annotations: Annotations = MappingProxyType({})) -> None:
    """Write every node and its report to the control plane in ``directory``, and wait until its API server lists them.

    The reports are dated tomorrow, because no probe repeats them.
    """
    names = list(names)
    reports = f"/api/v1/namespaces/{REPORTS}/configmaps"
    async with Api(directory) as api:
        for namespace in (OPERATOR, REPORTS):
            await api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        node = await api.create("/api/v1/nodes", a_node(names[0]))
        report = await api.create(reports, a_report(names[0], 0), labels.PROBE)
        tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        for writer in report["metadata"]["managedFields"]:
            writer["time"] = tomorrow

        def objects() -> Iterable[tuple[str, Json]]:
            for number, name in enumerate(names):
                own = {"uid": uid(number), "annotations": annotations.get(name, {})}
                yield f"/registry/minions/{name}", _copy(node, a_node(name), own)
                changed = a_report(name, number)
                yield f"/registry/configmaps/{REPORTS}/{changed['metadata']['name']}", _copy(report, changed, {})

        port = json.loads((directory / "ports.json").read_text())["etcd"]
        await asyncio.to_thread(_write, f"127.0.0.1:{port}", objects())
        while (await api.get(reports, limit="1"))["metadata"].get("remainingItemCount", 0) < len(names) - 1:
            await asyncio.sleep(0.1)


def _copy(created: Json, changed: Json, metadata: Json) -> Json:
    """An object like the one that the API server returned, with its own name and data."""
    merged = {**created["metadata"], **changed["metadata"], **metadata}
    # A stored object has no version: that is etcd's.
    return {**created, **changed, "metadata": {key: merged[key] for key in merged if key != "resourceVersion"}}


def _write(etcd: str, objects: Iterable[tuple[str, Json]]) -> None:
    """Put all objects under their keys, several at a time. The API server reads JSON as well as what it writes."""
    with grpc.insecure_channel(etcd) as channel:
        put = channel.unary_unary("/etcdserverpb.KV/Put")
        pending: list[Any] = []
        for key, value in objects:
            pending.append(put.future(_put_request(key.encode(), json.dumps(value).encode())))
            if len(pending) >= PARALLEL_WRITES:
                pending.pop(0).result()
        for each in pending:
            each.result()


def _put_request(key: bytes, value: bytes) -> bytes:
    """``PutRequest`` in protobuf: field 1 is the key, field 2 the value (etcd v3.7, api/etcdserverpb/rpc.proto)."""
    return b"".join(bytes([tag]) + _varint(len(field)) + field for tag, field in ((0x0A, key), (0x12, value)))


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest ones first; the high bit says that another byte follows."""
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])
