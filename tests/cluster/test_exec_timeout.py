"""A command in a pod has a timeout: nodes are isolated while it runs, so no silent server may block it."""

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from mig_fleet.cluster import pods
from mig_fleet.cluster.client import Cluster, ClusterError

pytestmark = pytest.mark.timeout(30)

LISTEN_S = 10


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A port that accepts connections; commands through it time out after 0.2 s."""
    monkeypatch.setattr(pods, "EXEC_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LISTEN_S)
        yield server


@pytest.fixture
def run_command(listener: socket.socket, tmp_path: Path) -> Callable[[], str]:
    """Runs a command in a pod through that port; returns the error message."""
    port = listener.getsockname()[1]
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))

    def run() -> str:
        with pytest.raises(ClusterError) as raised:
            Cluster({"kubeconfig": str(path)}).execute("gpu-operator", "manager", ["nvidia-mig-parted", "assert"])
        return str(raised.value)

    return run


TIMED_OUT = "nvidia-mig-parted in pod gpu-operator/manager gave no answer within 0.2 s"


def test_a_server_that_accepts_and_never_answers_ends_in_a_timeout(run_command: Callable[[], str]) -> None:
    assert run_command() == TIMED_OUT


def test_a_call_that_timed_out_does_not_keep_the_process_from_exiting(run_command: Callable[[], str]) -> None:
    run_command()
    assert [thread for thread in threading.enumerate() if not thread.daemon] == [threading.main_thread()]


def test_a_session_that_does_not_end_is_closed(run_command: Callable[[], str], listener: socket.socket) -> None:
    received: list[bytes] = []

    def serve() -> None:
        connected, _ = listener.accept()
        connected.settimeout(LISTEN_S)
        with connected:
            connected.sendall(_switching_protocols(connected.recv(65536)))
            while frame := connected.recv(65536):
                received.append(frame)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    assert run_command() == TIMED_OUT
    server.join(LISTEN_S)
    assert not server.is_alive(), "the client closed the connection"
    assert received[0][:1] == b"\x88", "and sent a close frame first"


def _switching_protocols(request: bytes) -> bytes:
    """The answer that opens a WebSocket (RFC 6455, section 4.2.2)."""
    key = re.search(rb"(?i)sec-websocket-key: (\S+)", request)
    assert key is not None, request
    accept = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    head = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade")
    return b"\r\n".join(
        (*head, b"Sec-WebSocket-Accept: " + accept, b"Sec-WebSocket-Protocol: v4.channel.k8s.io", b"\r\n")
    )
