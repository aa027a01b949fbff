"""An eviction that a disruption budget refuses is an answer, not an error: the API server names the budget in it."""

import json
import pickle
from typing import Any

import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Request
from mig_fleet.cluster.errors import ClusterError, Conflict, TooManyRequests

CAUSE = "The disruption budget web needs 2 healthy pods and has 2 currently"
REFUSED = {"message": "Cannot evict pod as it would violate the pod's disruption budget."}


class OneAnswer(Cluster):
    """An API server that gives every request the same answer."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.server, self.server_time, self.answer = "https://fleet", None, (status, json.dumps(body).encode())
        self.requests: list[str] = []
        self.bodies: list[Any] = []

    def _send(self, request: Request) -> tuple[int, bytes]:
        self.requests.append(str(request))
        self.bodies.append(request.body)
        return self.answer


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (201, {"status": "Success"}, None),
        (404, {"message": "pods not found"}, None),
        (429, {**REFUSED, "details": {"causes": [{"reason": "DisruptionBudget", "message": CAUSE}]}}, CAUSE),
        (429, {**REFUSED, "details": {"causes": [{"message": CAUSE}, {"message": "another"}]}}, f"{CAUSE}; another"),
        (429, {**REFUSED, "details": {"retryAfterSeconds": 10}}, ""),
        (429, REFUSED, ""),
    ],
    ids=["accepted", "gone", "one budget", "two causes", "no causes", "no details"],
)
def test_the_result_of_an_eviction(status: int, body: dict[str, Any], result: str | None) -> None:
    cluster = OneAnswer(status, body)
    assert cluster.evict("team", "web", "u1") == result
    assert cluster.requests == ["POST /api/v1/namespaces/team/pods/web/eviction"], "a refusal is not retried here"


def test_an_eviction_and_a_deletion_are_bound_to_the_pod_that_was_looked_at() -> None:
    cluster = OneAnswer(201, {"status": "Success"})
    cluster.evict("team", "web", "u1")
    cluster.delete_pod("team", "web", "u1")
    eviction, deletion = cluster.bodies
    assert eviction["deleteOptions"]["preconditions"] == deletion["preconditions"] == {"uid": "u1"}


def test_another_pod_of_that_name_is_neither_evicted_nor_deleted() -> None:
    cluster = OneAnswer(409, {"message": "the UID in the precondition does not match the UID in record"})
    with pytest.raises(Conflict):
        cluster.evict("team", "web", "u1")
    cluster.delete_pod("team", "web", "u1")
    assert len(cluster.requests) == 2, "neither is repeated without the uid"


def test_a_pod_with_two_budgets_is_an_error_with_the_servers_words() -> None:
    text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    with pytest.raises(ClusterError, match="more than one PodDisruptionBudget"):
        OneAnswer(500, {"message": text}).evict("team", "web", "u1")


def test_the_causes_survive_pickling() -> None:
    found = pickle.loads(pickle.dumps(TooManyRequests("refused", (CAUSE,))))
    assert (str(found), found.causes) == ("refused", (CAUSE,))


def test_the_budgets_of_a_namespace_are_listed() -> None:
    budget = {"metadata": {"name": "web"}}
    cluster = OneAnswer(200, {"items": [budget]})
    assert cluster.disruption_budgets("team") == [budget]
    assert cluster.requests == ["GET /apis/policy/v1/namespaces/team/poddisruptionbudgets"]
