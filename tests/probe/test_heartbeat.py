"""A probe's sign of life, stamped by the real API server and read back as verification reads it."""

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime

import msgspec
import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.observed.objects import Metadata
from mig_fleet.observed.reports import heard, written_at
from mig_fleet.probe.watch import config_map
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.errors import ApiError

pytestmark = pytest.mark.engine

NAMESPACE = "heartbeats"
COLLECTION = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
NODE = "gpu-node-1"
REPORT = Report(NODE, "580.126.09", config="dense-1c0ffee2", state="success", gpus=())
A_SECOND = 1.1
"""The API server's stamps have no fractions."""


@pytest.fixture(scope="module")
def body(fleet: Fleet) -> Iterator[Json]:
    """What the probe sends; the object exists, made by the probe."""
    fleet.call("create", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    node = fleet.call("get", f"/api/v1/nodes/{NODE}")
    body = config_map(node, REPORT)
    _write(fleet, "POST", COLLECTION, body)
    yield body
    with contextlib.suppress(ApiError):
        fleet.call("delete", f"/api/v1/namespaces/{NAMESPACE}")


def _write(fleet: Fleet, method: str, path: str, body: Json, manager: str = labels.PROBE) -> None:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    _cluster(fleet).call(method, path, {"fieldManager": manager}, body, kind)


def _cluster(fleet: Fleet) -> Cluster:
    return Cluster({"kubeconfig": str(fleet.kubeconfig)})


def stamp(fleet: Fleet) -> datetime | None:
    report = fleet.call("get", f"{COLLECTION}/{labels.REPORT_PREFIX}{NODE}")
    return written_at(msgspec.convert(report["metadata"], Metadata))


def test_a_heartbeat_is_stamped_although_nothing_changed_and_a_strangers_write_is_not(fleet: Fleet, body: Json) -> None:
    path = f"{COLLECTION}/{labels.REPORT_PREFIX}{NODE}"
    born = stamp(fleet)
    time.sleep(A_SECOND)
    _write(fleet, "PATCH", path, {"metadata": {"annotations": {"team": "a"}}}, manager="kubectl-annotate")
    assert stamp(fleet) == born, "somebody else wrote"
    _write(fleet, "PATCH", path, body)
    assert stamp(fleet) == born, "the same once more is no write at all"
    node = fleet.call("get", f"/api/v1/nodes/{NODE}")
    _write(fleet, "PATCH", path, config_map(node, REPORT))
    assert stamp(fleet) > born, "another heartbeat with the same report"


def test_silence_is_measured_by_the_servers_clock_alone(
    fleet: Fleet, body: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 30 * 24 * 3600)  # this machine is a month behind
    cluster = _cluster(fleet)
    said = heard(cluster, NAMESPACE)[NODE]
    assert said.report == REPORT
    assert cluster.server_time is not None and said.silent_s is not None
    assert said.silent_s == max((cluster.server_time - stamp(fleet)).total_seconds(), 0)
