"""A probe's heartbeat, stamped by the real API server and read as verification reads it."""

import contextlib
import json
import time
from collections.abc import Iterator
from datetime import datetime

import msgspec
import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.observed.objects import Metadata
from mig_fleet.observed.reports import read_reports, written_at
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
"""The API server's stamps have no fractions of a second."""


@pytest.fixture(scope="module")
def body(fleet: Fleet) -> Iterator[Json]:
    """The ConfigMap that the probe publishes; it exists."""
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


def stamp(fleet: Fleet) -> datetime:
    report = fleet.call("get", f"{COLLECTION}/{labels.REPORT_PREFIX}{NODE}")
    found = written_at(msgspec.json.decode(json.dumps(report["metadata"]), type=Metadata))
    assert found is not None, "the probe wrote it"
    return found


def test_a_heartbeat_is_stamped_although_nothing_changed_and_the_write_of_another_user_is_not(
    fleet: Fleet, body: Json
) -> None:
    path = f"{COLLECTION}/{labels.REPORT_PREFIX}{NODE}"
    created = stamp(fleet)
    time.sleep(A_SECOND)
    _write(fleet, "PATCH", path, {"metadata": {"annotations": {"team": "a"}}}, manager="kubectl-annotate")
    assert stamp(fleet) == created, "another user wrote"
    _write(fleet, "PATCH", path, body)
    assert stamp(fleet) == created, "the same content again is not a write"
    node = fleet.call("get", f"/api/v1/nodes/{NODE}")
    _write(fleet, "PATCH", path, config_map(node, REPORT))
    assert stamp(fleet) > created, "another heartbeat with the same report"


def test_the_age_of_a_report_is_measured_by_the_servers_clock_only(
    fleet: Fleet, body: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 30 * 24 * 3600)  # the clock of this machine is a month behind
    cluster = _cluster(fleet)
    received = read_reports(cluster, NAMESPACE)[NODE]
    assert received.report == REPORT
    assert cluster.server_time is not None and received.age_s is not None
    assert received.age_s == max((cluster.server_time - stamp(fleet)).total_seconds(), 0)
