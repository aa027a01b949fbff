"""The probe's watch on a real HTTPS server: what is sent, however it is divided, and every way in which it can end."""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import SHUT_WR, create_server, socket
from threading import Thread
from typing import Any

import pytest

from mig_fleet.probe.json_stream import MAX_BYTES
from mig_fleet.probe.kubernetes import METADATA_ONLY, Api, ApiError
from mig_fleet.simulator.control_plane.certificates import Authority

HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
EVENTS = [{"type": "MODIFIED", "object": {"metadata": {"name": "n1", "resourceVersion": str(n)}}} for n in range(3)]
LINES = b"".join(json.dumps(event).encode() + b"\n" for event in EVENTS)
SOON_S = 10.0

Script = Callable[[socket], object]


class Server:
    """Serves one connection after another with the scripts, and records the requests."""

    def __init__(self, folder: Path) -> None:
        authority = Authority()
        pair = authority.server()
        (folder / "ca.crt").write_bytes(authority.certificate)
        (folder / "token").write_text("first\n")
        (folder / "namespace").write_text("mig-fleet")
        (folder / "pair").write_bytes(pair.key + pair.certificate)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "pair")
        self._listener = create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.scripts: list[Script] = []
        self.requests: list[str] = []
        self._open: list[socket] = []
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._tls.wrap_socket(self._listener.accept()[0], server_side=True)
                self._open.append(connection)
                self.requests.append(connection.recv(65536).decode())
                self.scripts.pop(0)(connection)
            except (OSError, ValueError):
                return

    def close(self) -> None:
        for it in (self._listener, *self._open):
            it.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server(tmp_path)
    monkeypatch.setenv("MIG_PROBE_CREDENTIALS", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    yield server
    server.close()


def sends(*parts: bytes, then: Script = lambda _: None) -> Script:
    """The parts, each in a TLS record of its own."""

    def run(connection: socket) -> None:
        for part in parts:
            connection.sendall(part)
        then(connection)

    return run


def received(server: Server, script: Script, count: int) -> list[Any]:
    """So many events, or those before the error, which is then the last item."""
    server.scripts.append(script)
    stream, found = Api().watch_node("n1", 60), list[Any]()
    try:
        while len(found) < count:
            found += stream.receive(SOON_S)
    except (OSError, ValueError) as exc:
        found.append(exc)
    stream.close()
    return found


def test_the_request_is_a_watch_of_the_metadata_of_one_node_with_a_bound(server: Server) -> None:
    received(server, sends(HEAD, LINES), 3)
    line, *headers = server.requests[0].splitlines()
    query = "watch=true&fieldSelector=metadata.name%3Dn1&allowWatchBookmarks=true&timeoutSeconds=60"
    assert line == f"GET /api/v1/nodes?{query} HTTP/1.0"
    assert f"Accept: {METADATA_ONLY}" in headers and "Authorization: Bearer first" in headers


@pytest.mark.parametrize(
    "parts",
    [
        (HEAD, LINES),
        (HEAD + LINES,),
        tuple(bytes([byte]) for byte in HEAD + LINES),
        (HEAD + LINES[:30], LINES[30:31], LINES[31:]),
        (HEAD, b"\n", LINES, b"\n"),
    ],
    ids=["head and body", "one record", "single bytes", "within a line", "empty lines"],
)
def test_events_arrive_however_they_are_divided(server: Server, parts: tuple[bytes, ...]) -> None:
    assert received(server, sends(*parts), 3) == EVENTS


def test_events_that_came_with_others_do_not_wait_for_the_next_ones(server: Server) -> None:
    """They are in the buffer of TLS, where no arrival announces them."""
    big = b'{"padding": "' + b"x" * 15000 + b'"}\n'
    assert len(received(server, sends(HEAD, big * 20), 20)) == 20


def test_without_events_it_returns_after_the_given_time(server: Server) -> None:
    server.scripts.append(sends(HEAD))
    stream = Api().watch_node("n1", 60)
    began = time.monotonic()
    assert stream.receive(0) == [] and stream.receive(0.05) == []
    assert time.monotonic() - began < SOON_S / 2
    stream.close()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (sends(HEAD, LINES, then=lambda it: it.close()), "the server ended it"),
        (sends(HEAD, LINES, then=lambda it: it.shutdown(SHUT_WR)), "the server ended it"),
        (sends(HEAD, LINES, b"<html>\n"), "Expecting value"),
        (sends(HEAD, LINES, b"[]\n"), "it is no stream of JSON objects"),
        (sends(HEAD, LINES, b"x" * (MAX_BYTES + 2)), f"a line is longer than {MAX_BYTES} bytes"),
    ],
    ids=["closed", "aborted", "no JSON", "no objects", "endless"],
)
def test_what_came_before_the_end_is_received_and_the_end_is_an_error(
    server: Server, script: Script, error: str
) -> None:
    *events, ended = received(server, script, 4)
    assert events in (EVENTS, [])
    assert error in str(ended)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            b'HTTP/1.0 403 Forbidden\r\nContent-Length: 40\r\n\r\n{"message": "nodes is forbidden: no right"}',
            "answered 403: nodes is forbidden: no right",
        ),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>bad gateway", "answered 502: <html>bad gateway"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", ""),
        (b"", ""),
    ],
    ids=["no right", "a proxy without a server", "no HTTP", "no answer"],
)
def test_another_answer_is_an_error_with_the_servers_message(server: Server, answer: bytes, message: str) -> None:
    server.scripts.append(sends(answer, then=lambda it: it.close()))
    with pytest.raises(ApiError) as refused:
        Api().watch_node("n1", 60)
    assert str(refused.value).startswith(f"WATCH /api/v1/nodes/n1: {message}")


def test_a_connection_that_the_server_closed_while_it_was_idle_is_opened_again(server: Server) -> None:
    """So it is before each heartbeat: an API server closes one after 90 seconds. The head of a write is then lost, and
    its body is an error of TLS.
    """
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    server.scripts += [sends(answer, then=lambda it: it.close()), sends(answer)]
    api = Api()
    api.node("n1")
    api.publish({"metadata": {"name": "mig-report-n1"}})
    assert len(server.requests) == 2
    api._disconnect()


def test_a_server_that_is_not_there_is_an_error(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
    with pytest.raises(ApiError, match=r"WATCH /api/v1/nodes/n1: .*Connection refused"):
        Api().watch_node("n1", 60)
