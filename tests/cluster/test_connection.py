"""One request: asked again where that may help, and otherwise one sentence of what was asked and what came back."""

import gc
import json
from typing import Any

import pytest

from mig_fleet.cluster import connection, session
from mig_fleet.cluster.connection import BUSY, Connection
from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable, Conflict, Forbidden, NotFound, TooManyRequests

AWAY = ClusterUnreachable("the cluster at https://fleet does not answer: timed out")


class Line(Connection):
    """A connection whose answers are written down before; counts how often it was asked."""

    def __init__(self, *answers: tuple[int, object] | ClusterError) -> None:
        self.server, self.answers, self.asked = "https://fleet", list(answers), 0

    def _request(self, *_: Any) -> tuple[int, bytes]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ClusterError):
            raise answer
        status, body = answer
        return status, body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it waited between two requests, in seconds; nobody really waits."""
    waited: list[float] = []
    monkeypatch.setattr(connection.time, "sleep", waited.append)
    return waited


@pytest.mark.parametrize("status", BUSY)
@pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("PATCH", 4)])
def test_a_busy_server_is_asked_again_and_a_write_more_often_than_a_look(
    status: int, method: str, tries: int, pauses: list[float]
) -> None:
    line = Line((status, {"message": "not now"}))
    with pytest.raises(ClusterError, match=f"{method} /api/v1/nodes answered {status}: not now"):
        line.call(method, "/api/v1/nodes")
    assert line.asked == tries
    assert pauses == [0.5, 1.0, 2.0][: tries - 1]


@pytest.mark.parametrize("first", [AWAY, (503, {})], ids=["no answer", "busy"])
def test_one_bad_moment_is_not_noticed(first: Any) -> None:
    assert Line(first, (200, {"items": []})).call("GET", "/api/v1/nodes") == {"items": []}


def test_a_server_that_stays_away_is_named() -> None:
    with pytest.raises(ClusterUnreachable, match="the cluster at https://fleet does not answer: timed out"):
        Line(AWAY).call("GET", "/api/v1/nodes")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (429, TooManyRequests),
        (422, ClusterError),
    ],
)
def test_each_refusal_that_somebody_may_handle_is_an_error_of_its_own(status: int, kind: type) -> None:
    with pytest.raises(kind, match="because") as refused:
        Line((status, {"message": "because"})).call("PATCH", "/api/v1/nodes/n1")
    assert type(refused.value) is kind


def test_a_refusal_that_is_not_asked_to_be_repeated_is_asked_once() -> None:
    line = Line((429, {"message": "the budget"}))
    with pytest.raises(TooManyRequests):
        line.call("POST", "/api/v1/namespaces/team/pods/web/eviction", tries=1)
    assert line.asked == 1


@pytest.mark.parametrize("body", [b"<html>Please log in", b"", b"[]", b"\xff\xfe"])
def test_what_answers_well_and_is_no_api_server_is_said_so(body: bytes) -> None:
    with pytest.raises(ClusterUnreachable, match="what answers at https://fleet is no API server: GET /api/v1/nodes"):
        Line((200, body)).call("GET", "/api/v1/nodes")


def test_a_refusal_without_json_is_passed_on_as_it_is() -> None:
    with pytest.raises(ClusterError, match="answered 502: Bad Gateway"):
        Line((502, b"Bad Gateway")).call("GET", "/api/v1/nodes")


def test_a_kubeconfig_that_was_given_as_text_is_refused_and_not_repeated() -> None:
    with pytest.raises(ClusterUnreachable) as refused:
        Connection({"kubeconfig": "apiVersion: v1\nusers: [{user: {token: s3cret}}]\n"})
    assert str(refused.value) == "no usable kubeconfig: should be a path, not its contents"


def test_the_end_of_a_process_is_not_spent_on_what_the_client_library_loaded() -> None:
    gc.unfreeze()
    session._library.cache_clear()
    session._library()
    assert gc.get_freeze_count() > len(gc.get_objects()), "the collector walks the smaller part"
    assert gc.isenabled()
