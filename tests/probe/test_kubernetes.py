"""The probe's requests to an API server, and its errors for strange answers."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mig_fleet.probe.kubernetes import METADATA_ONLY, Api, ApiError

REPORT: dict[str, Any] = {"metadata": {"name": "mig-report-n1"}, "data": {}}


class Server(ThreadingHTTPServer):
    """Sends the given answers, the last one again and again; ``None`` closes the connection without an answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, bytes] | None] = [(200, b"{}")]
        self.requests: list[tuple[str, str, str]] = []
        self.connections = 0
        self.headers: list[dict[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        server.requests.append((self.command, self.path, body.decode()))
        server.headers.append(dict(self.headers))
        answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    do_GET = do_PATCH = do_POST = _answer

    def log_message(self, *_: object) -> None:
        """Prints nothing: the tests read ``requests``."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def api(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A client without TLS; the tests on the simulated fleet use TLS."""
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "namespace").write_text("mig-fleet")
    monkeypatch.setenv("MIG_PROBE_CREDENTIALS", str(tmp_path))
    monkeypatch.setattr(Api, "_connect", lambda _: HTTPConnection("127.0.0.1", server.server_port, timeout=5))
    api = Api()
    yield api
    api._disconnect()


def test_one_connection_serves_every_request_and_the_token_is_read_again(
    api: Api, server: Server, tmp_path: Path
) -> None:
    api.node("n1")
    (tmp_path / "token").write_text("second")
    api.publish(REPORT)
    assert server.connections == 1
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer first", "Bearer second"]
    assert server.headers[0]["Accept"] == METADATA_ONLY, "a whole node is ten times the bytes"


def test_a_report_is_patched_and_created_only_if_there_is_none(api: Api, server: Server) -> None:
    server.answers = [(404, b"{}"), (201, b"{}")]
    api.publish(REPORT)
    collection = "/api/v1/namespaces/mig-fleet/configmaps"
    assert [(method, path) for method, path, _ in server.requests] == [
        ("PATCH", f"{collection}/mig-report-n1?fieldManager=mig-probe"),
        ("POST", f"{collection}?fieldManager=mig-probe"),
    ]
    assert {json.dumps(json.loads(body)) for _, _, body in server.requests} == {json.dumps(REPORT)}


def test_a_connection_that_the_server_closed_is_opened_again(api: Api, server: Server) -> None:
    api.node("n1")
    server.answers = [None, (200, b'{"metadata": {}}')]
    assert api.node("n1") == {"metadata": {}}
    assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((403, b'{"message": "nodes \\"n1\\" is forbidden"}'), 'answered 403: nodes "n1" is forbidden'),
        ((502, b"<html>bad gateway"), "answered 502: <html>bad gateway"),
        (None, "Remote end closed connection without response"),
    ],
    ids=["no rights", "a proxy without a server", "no answer"],
)
def test_a_refusal_keeps_the_servers_message(api: Api, server: Server, answer: Any, message: str) -> None:
    server.answers = [answer]
    with pytest.raises(ApiError) as refused:
        api.node("n1")
    assert str(refused.value) == f"GET /api/v1/nodes/n1: {message}"


def test_an_unreachable_api_server_is_an_api_error(api: Api, server: Server) -> None:
    api.node("n1")
    server.answers = [None]  # to the thread that still holds the kept connection
    server.shutdown()
    server.server_close()
    with pytest.raises(ApiError, match="Connection refused") as refused:
        api.node("n1")
    assert refused.value.status == 0


def test_outside_of_a_pod_the_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIG_PROBE_CREDENTIALS", str(tmp_path))
    with pytest.raises(ApiError, match=r"service account file .*/token: No such file or directory; is its token"):
        Api().node("n1")


def test_outside_of_a_cluster_the_missing_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("first")
    monkeypatch.setenv("MIG_PROBE_CREDENTIALS", str(tmp_path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ApiError, match="KUBERNETES_SERVICE_HOST and _PORT: name no API server"):
        Api().node("n1")
