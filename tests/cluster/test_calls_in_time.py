"""A call has an end, and so have the credentials it needs: a preview fails with a sentence, and never hangs."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mig_fleet.cluster import connection, session
from mig_fleet.cluster.connection import Connection
from mig_fleet.cluster.errors import ClusterUnreachable

pytestmark = pytest.mark.timeout(30)

DRIP_S = 0.05
DRIPS = 100
CALL_S = 0.3
WITHIN_S = 20
NOBODY = "http://127.0.0.1:1"
Written = Callable[..., str]


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Written:
    """Writes one for a server and its user, and tells its path."""

    def write(server: str, **user: Any) -> str:
        path = tmp_path / "kubeconfig"
        known = {
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        path.write_text(yaml.safe_dump(known))
        return str(path)

    return write


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], str]]:
    """A server that begins as told, then sends a byte now and then; it ends after a hundred of them."""
    end = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(begin: bytes) -> str:
            threads.append(threading.Thread(target=_drip, args=(server, begin, end)))
            threads[-1].start()
            return f"http://127.0.0.1:{server.getsockname()[1]}"

        yield serve
        end.set()
        server.close()
        for thread in threads:
            thread.join()


def _drip(server: socket.socket, begin: bytes, end: threading.Event) -> None:
    server.settimeout(DRIP_S)
    while not end.is_set():
        try:
            line, _ = server.accept()
        except OSError:
            continue
        with line:
            line.recv(65536)
            line.sendall(begin)
            for _ in range(DRIPS):
                if end.wait(DRIP_S):
                    return
                line.sendall(b"x")


@pytest.mark.parametrize(
    "begin",
    [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % DRIPS],
    ids=["in the headers", "in the body"],
)
def test_an_answer_that_drips_is_not_waited_for(
    begin: bytes, dripping: Callable[[bytes], str], kubeconfig: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WHOLE_CALL_S", CALL_S)
    monkeypatch.setattr(connection, "TRIES", {"GET": 1})
    there = Connection({"kubeconfig": kubeconfig(dripping(begin))})
    with pytest.raises(ClusterUnreachable) as refused:
        there.get("/api/v1/nodes")
    assert str(refused.value) == f"the cluster at {there.server} does not answer: no whole answer within {CALL_S} s"


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A credentials plugin that gives an expired token the first time, where the test lets it, and then hangs."""
    pipe, answer = tmp_path / "pipe", tmp_path / "answer"
    os.mkfifo(pipe)
    api = "client.authentication.k8s.io/v1"
    status = {"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"}
    (tmp_path / "expired").write_text(json.dumps({"apiVersion": api, "kind": "ExecCredential", "status": status}))
    script = tmp_path / "plugin"
    script.write_text(f'#!/bin/sh\ncat "{answer}" 2>/dev/null && rm "{answer}" && exit\nexec cat "{pipe}"\n')
    script.chmod(0o755)
    yield {"exec": {"apiVersion": api, "command": str(script)}}
    # Whoever reads the pipe reads to its end once it was opened and closed.
    os.close(os.open(pipe, os.O_RDWR))


def _hangs(path: str, seconds: float) -> str:
    return (
        f"no credentials within {seconds} s by the kubeconfig at {path}: the command of its user (`exec`) does not "
        "end, or waits for somebody; run `kubectl get nodes` with that kubeconfig to see"
    )


def test_a_credentials_plugin_that_hangs_is_not_waited_for(
    plugin: dict[str, Any], kubeconfig: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CREDENTIALS_TIMEOUT_S", 0.2)
    path = kubeconfig(NOBODY, **plugin)
    with pytest.raises(ClusterUnreachable) as refused:
        Connection({"kubeconfig": path})
    assert str(refused.value) == _hangs(path, 0.2)


def test_a_plugin_that_hangs_when_credentials_are_renewed_is_waited_for_once(
    plugin: dict[str, Any], kubeconfig: Written, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "expired").rename(tmp_path / "answer")
    path = kubeconfig(NOBODY, **plugin)
    there = Connection({"kubeconfig": path})
    monkeypatch.setattr(session, "CREDENTIALS_TIMEOUT_S", 0.2)
    monkeypatch.setattr(connection.time, "sleep", lambda _: pytest.fail("asked again"))
    with pytest.raises(ClusterUnreachable) as refused:
        there.get("/api/v1/nodes")
    assert str(refused.value) == _hangs(path, 0.2)


def test_a_kubeconfig_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, end = threading.Event(), threading.Event()

    def opened(where: Any) -> Any:
        if where["kubeconfig"] == "here":
            begun.set()
            assert end.wait(WITHIN_S)
        return session.Session(where["kubeconfig"], "c", None, None)

    monkeypatch.setattr(session, "_opened", opened)
    monkeypatch.setattr(session, "_sessions", {})
    waiting = threading.Thread(target=session.session, args=({"kubeconfig": "here"},))
    waiting.start()
    try:
        assert begun.wait(WITHIN_S)
        other = threading.Thread(target=session.session, args=({"kubeconfig": "there"},))
        other.start()
        other.join(WITHIN_S)
        assert not other.is_alive() and waiting.is_alive()
    finally:
        end.set()
        waiting.join(WITHIN_S)
