"""Changes of nodes and reports, as the real API server sends them to a wait."""

import contextlib
from collections.abc import Iterator

import pytest

from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.observed import followed_fleet
from mig_fleet.observed.followed_fleet import FollowedFleet
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.errors import ApiError

pytestmark = pytest.mark.engine

NAMESPACE, NODE = "followed", "gpu-node-1"
COLLECTION = f"/api/v1/namespaces/{NAMESPACE}/configmaps"


@pytest.fixture(scope="module")
def namespace(fleet: Fleet) -> Iterator[str]:
    fleet.call("create", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    yield NAMESPACE
    with contextlib.suppress(ApiError):
        fleet.call("delete", f"/api/v1/namespaces/{NAMESPACE}")


@pytest.fixture
def followed(fleet: Fleet, namespace: str) -> FollowedFleet:
    found = FollowedFleet({"kubeconfig": str(fleet.kubeconfig)}, namespace)
    found.observe()
    found.take_changes(1)
    found.observe()
    return found


def write(fleet: Fleet, attempt: str) -> None:
    """A node's attempt, and a report of it."""
    annotations = {"metadata": {"annotations": {labels.ATTEMPT: attempt}}}
    fleet.call("patch", f"/api/v1/nodes/{NODE}", annotations)
    name = labels.REPORT_PREFIX + NODE
    data = {labels.REPORT_KEY: Report(NODE, "1", config="a", state="success", gpus=(), attempt=attempt).to_json()}
    body = {"metadata": {"name": name, "labels": {labels.REPORT_LABEL: "true"}}, "data": data}
    try:
        fleet.call("patch", f"{COLLECTION}/{name}", body)
    except ApiError:
        fleet.call("create", COLLECTION, body)


def test_what_changes_arrives_within_a_second_and_without_a_list(
    fleet: Fleet, followed: FollowedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_fleet, "observe", lambda *_, **__: pytest.fail("it was read in full"))
    monkeypatch.setattr(followed_fleet, "FULL_EVERY_S", 3600)
    for attempt in ("7", "8", "9"):
        write(fleet, attempt)
        followed.take_changes(1)
        node = followed.observe().nodes[NODE]
        assert (node.attempt, node.report and node.report.attempt) == (attempt, attempt)
    fleet.call("delete", f"{COLLECTION}/{labels.REPORT_PREFIX}{NODE}")
    followed.take_changes(1)
    assert followed.observe().nodes[NODE].report is None


def test_a_version_that_the_server_has_forgotten_costs_a_full_reading(fleet: Fleet, followed: FollowedFleet) -> None:
    followed._since = [it.__class__(it.path, it.query, "1") for it in followed._since]
    write(fleet, "11")
    followed.take_changes(1)
    assert followed.observe().nodes[NODE].attempt == "11"
