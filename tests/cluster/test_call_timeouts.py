"""A request and the credentials for it have a timeout: a preview fails with a message and never hangs."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from mig_fleet.cluster import connection, exec_plugin, session
from mig_fleet.cluster.connection import Connection
from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.cluster.source import Source

pytestmark = pytest.mark.timeout(30)

DRIP_S = 0.05
"""Seconds between two bytes of the slow server."""
DRIPS = 100
CALL_S = 0.3
WITHIN_S = 20
UNUSED_PORT = "http://127.0.0.1:1"
WriteKubeconfig = Callable[..., str]


@pytest.fixture
def kubeconfig(tmp_path: Path) -> WriteKubeconfig:
    """Writes a kubeconfig for a server and its user; returns its path."""

    def write(server: str, **user: Any) -> str:
        path = tmp_path / "kubeconfig"
        document = {
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        path.write_text(yaml.safe_dump(document))
        return str(path)

    return write


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], str]]:
    """Starts a server that sends the given bytes and then :data:`DRIPS` single bytes, slowly; returns its URL."""
    stop = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(begin: bytes) -> str:
            threads.append(threading.Thread(target=_drip, args=(server, begin, stop)))
            threads[-1].start()
            return f"http://127.0.0.1:{server.getsockname()[1]}"

        yield serve
        stop.set()
        server.close()
        for thread in threads:
            thread.join()


def _drip(server: socket.socket, begin: bytes, stop: threading.Event) -> None:
    server.settimeout(DRIP_S)
    while not stop.is_set():
        try:
            connected, _ = server.accept()
        except OSError:
            continue
        with connected:
            connected.recv(65536)
            connected.sendall(begin)
            for _ in range(DRIPS):
                if stop.wait(DRIP_S):
                    return
                connected.sendall(b"x")


@pytest.mark.parametrize(
    "begin",
    [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % DRIPS],
    ids=["in the headers", "in the body"],
)
def test_an_answer_that_arrives_byte_by_byte_ends_in_a_timeout(
    begin: bytes, dripping: Callable[[bytes], str], kubeconfig: WriteKubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WHOLE_CALL_S", CALL_S)
    monkeypatch.setattr(connection, "TRIES", {"GET": 1})
    cluster = Connection({"kubeconfig": kubeconfig(dripping(begin))})
    with pytest.raises(ClusterUnreachable) as raised:
        cluster.get("/api/v1/nodes")
    assert str(raised.value) == f"the cluster at {cluster.server} does not answer: incomplete after {CALL_S} s"


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A kubeconfig user whose credentials plugin hangs.

    If the test provides the file ``answer``, the first run prints it: a token that must be renewed at once.
    """
    pipe, answer = tmp_path / "pipe", tmp_path / "answer"
    os.mkfifo(pipe)
    api = "client.authentication.k8s.io/v1"
    soon = datetime.now(UTC) + timedelta(minutes=4)
    status = {"token": "t", "expirationTimestamp": soon.isoformat()}
    (tmp_path / "expires-soon").write_text(json.dumps({"apiVersion": api, "kind": "ExecCredential", "status": status}))
    script = tmp_path / "plugin"
    script.write_text(f'#!/bin/sh\ncat "{answer}" 2>/dev/null && rm "{answer}" && exit\nexec cat "{pipe}"\n')
    script.chmod(0o755)
    yield {"exec": {"apiVersion": api, "command": str(script)}}
    # A process that still reads the pipe exits once the pipe was opened for writing and closed.
    os.close(os.open(pipe, os.O_RDWR))


def _no_credentials(path: str, seconds: float) -> str:
    return (
        f"no credentials from the kubeconfig at {path}: the exec plugin 'plugin' did not exit within {seconds} s and "
        "was ended; it may prompt for input; run `kubectl get nodes` with that kubeconfig to see"
    )


def test_a_credentials_plugin_that_hangs_ends_in_a_timeout(
    plugin: dict[str, Any], kubeconfig: WriteKubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_plugin, "PLUGIN_TIMEOUT_S", 0.2)
    path = kubeconfig(UNUSED_PORT, **plugin)
    with pytest.raises(ClusterUnreachable) as raised:
        Connection({"kubeconfig": path})
    assert str(raised.value) == _no_credentials(path, 0.2)


def test_a_plugin_that_hangs_when_credentials_are_renewed_is_run_only_once(
    plugin: dict[str, Any], kubeconfig: WriteKubeconfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "expires-soon").rename(tmp_path / "answer")
    path = kubeconfig(UNUSED_PORT, **plugin)
    cluster = Connection({"kubeconfig": path})
    monkeypatch.setattr(exec_plugin, "PLUGIN_TIMEOUT_S", 0.2)
    monkeypatch.setattr("mig_fleet.cluster.connection.time.sleep", lambda _: pytest.fail("a second attempt"))
    with pytest.raises(ClusterUnreachable) as raised:
        cluster.get("/api/v1/nodes")
    assert str(raised.value) == _no_credentials(path, 0.2)


def test_a_kubeconfig_that_hangs_does_not_delay_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    started, release = threading.Event(), threading.Event()

    def open_slowly(source: Source, _context: str | None) -> Any:
        if source.path == "slow":
            started.set()
            assert release.wait(WITHIN_S)
        return session.Session(source.path, "c", None, None)

    monkeypatch.setattr(session, "_open", open_slowly)
    monkeypatch.setattr(session, "_sessions", {})
    waiting = threading.Thread(target=session.session, args=({"kubeconfig": "slow"},))
    waiting.start()
    try:
        assert started.wait(WITHIN_S)
        other = threading.Thread(target=session.session, args=({"kubeconfig": "fast"},))
        other.start()
        other.join(WITHIN_S)
        assert not other.is_alive() and waiting.is_alive()
    finally:
        release.set()
        waiting.join(WITHIN_S)
