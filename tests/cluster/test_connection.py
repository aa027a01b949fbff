"""One request: retried if that can help; otherwise one error that names the request and the answer."""

import gc
import json
from typing import Any

import pytest
from urllib3.exceptions import HTTPError, MaxRetryError

from mig_fleet.cluster import session
from mig_fleet.cluster.connection import BUSY, Connection, Request
from mig_fleet.cluster.errors import (
    ClusterError,
    ClusterUnreachable,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooManyRequests,
)
from mig_fleet.cluster.reasons import request_reason

UNREACHABLE = ClusterUnreachable("the cluster at https://fleet does not answer: timed out")


class Scripted(Connection):
    """A connection with prepared answers, the last of which repeats; counts the requests."""

    def __init__(self, *answers: tuple[int, object] | ClusterError) -> None:
        self.server, self.answers, self.requests = "https://fleet", list(answers), 0

    def _send(self, _request: Request) -> tuple[int, bytes]:
        self.requests += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ClusterError):
            raise answer
        status, body = answer
        return status, body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between two requests, in seconds; no test really waits."""
    found: list[float] = []
    monkeypatch.setattr("mig_fleet.cluster.connection.time.sleep", found.append)
    return found


@pytest.mark.parametrize("status", BUSY)
@pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("PATCH", 4)])
def test_a_request_to_a_busy_server_is_retried_and_a_write_more_often_than_a_read(
    status: int, method: str, tries: int, pauses: list[float]
) -> None:
    server = Scripted((status, {"message": "not now"}))
    with pytest.raises(ClusterError, match=f"{method} /api/v1/nodes answered {status}: not now"):
        server.call(method, "/api/v1/nodes")
    assert server.requests == tries
    assert pauses == [0.5, 1.0, 2.0][: tries - 1]


@pytest.mark.parametrize("first", [UNREACHABLE, (503, {})], ids=["no answer", "busy"])
def test_one_failed_attempt_is_not_reported(first: Any) -> None:
    assert Scripted(first, (200, {"items": []})).call("GET", "/api/v1/nodes") == {"items": []}


def test_a_server_that_stays_unreachable_is_named() -> None:
    with pytest.raises(ClusterUnreachable, match="the cluster at https://fleet does not answer: timed out"):
        Scripted(UNREACHABLE).call("GET", "/api/v1/nodes")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (429, TooManyRequests),
        (422, Invalid),
        (400, ClusterError),
    ],
)
def test_each_status_that_a_caller_may_handle_has_its_own_error_class(status: int, kind: type) -> None:
    with pytest.raises(kind, match="because") as raised:
        Scripted((status, {"message": "because"})).call("PATCH", "/api/v1/nodes/n1")
    assert type(raised.value) is kind


def test_a_request_with_one_try_is_not_retried() -> None:
    server = Scripted((429, {"message": "the budget"}))
    with pytest.raises(TooManyRequests):
        server.call("POST", "/api/v1/namespaces/team/pods/web/eviction", tries=1)
    assert server.requests == 1


@pytest.mark.parametrize("body", [b"<html>Please log in", b"", b"[]", b"\xff\xfe"])
def test_a_successful_answer_that_is_no_json_object_is_not_from_an_api_server(body: bytes) -> None:
    with pytest.raises(ClusterUnreachable, match="https://fleet is not an API server: GET /api/v1/nodes returned"):
        Scripted((200, body)).call("GET", "/api/v1/nodes")


def test_an_error_answer_without_json_is_reported_as_it_is() -> None:
    with pytest.raises(ClusterError, match="answered 502: Bad Gateway"):
        Scripted((502, b"Bad Gateway")).call("GET", "/api/v1/nodes")


@pytest.mark.parametrize(
    "text",
    [
        "HTTPSConnectionPool(host='fleet', port=443): Read timed out. (read timeout=10)",
        "HTTPSConnection(host='fleet', port=443): Read timed out. (read timeout=10)",
        "<urllib3.connection.HTTPSConnection object at 0x7f2c>: Read timed out. (read timeout=10)",
        "Read timed out. (read timeout=10)",
    ],
)
def test_the_client_librarys_objects_are_not_part_of_an_error(text: str) -> None:
    error = MaxRetryError(None, "/api", HTTPError(text))  # type: ignore[arg-type]  # the pool is not read
    assert request_reason(error) == "Read timed out. (read timeout=10)"


def test_contents_that_are_no_kubeconfig_are_refused_and_never_printed() -> None:
    with pytest.raises(ClusterUnreachable) as raised:
        Connection({"kubeconfig": "apiVersion: v1\nusers: [{user: {token: s3cret}}]\n"})
    place = "no usable kubeconfig at the contents of cluster.kubeconfig"
    assert str(raised.value) == f"{place}: it has no key 'current-context' where one is needed"


def test_the_garbage_collector_skips_what_the_client_library_loaded() -> None:
    gc.unfreeze()
    session._library.cache_clear()
    session._library()
    assert gc.get_freeze_count() > len(gc.get_objects()), "most objects are frozen, so a collection at exit is short"
    assert gc.isenabled()
