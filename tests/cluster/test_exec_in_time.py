"""A command in a pod has an end: nodes are closed while it is awaited, so a silent server must not be waited for."""

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from mig_fleet.cluster import client as cluster
from mig_fleet.cluster.client import Cluster, ClusterError

pytestmark = pytest.mark.timeout(30)

LISTEN_S = 10


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A port that accepts connections; whoever asks there waits a fifth of a second at most."""
    monkeypatch.setattr(cluster, "EXEC_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LISTEN_S)
        yield server


@pytest.fixture
def asked(listener: socket.socket, tmp_path: Path) -> Callable[[], str]:
    """What is said when a command is run by way of that port."""
    port = listener.getsockname()[1]
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))

    def ask() -> str:
        with pytest.raises(ClusterError) as refused:
            Cluster({"kubeconfig": str(path)}).execute("gpu-operator", "manager", ["nvidia-mig-parted", "assert"])
        return str(refused.value)

    return ask


SILENT = "nvidia-mig-parted in pod gpu-operator/manager gave no answer within 0.2 s"


def test_a_server_that_accepts_and_never_answers_is_not_waited_for(asked: Callable[[], str]) -> None:
    assert asked() == SILENT


def test_what_waits_in_vain_does_not_keep_the_process_from_ending(asked: Callable[[], str]) -> None:
    asked()
    assert [thread for thread in threading.enumerate() if not thread.daemon] == [threading.main_thread()]


def test_a_talk_that_does_not_end_is_hung_up(asked: Callable[[], str], listener: socket.socket) -> None:
    heard: list[bytes] = []

    def serve() -> None:
        line, _ = listener.accept()
        line.settimeout(LISTEN_S)
        with line:
            line.sendall(_upgraded(line.recv(65536)))
            while said := line.recv(65536):
                heard.append(said)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    assert asked() == SILENT
    server.join(LISTEN_S)
    assert not server.is_alive(), "the client hung up"
    assert heard[0][:1] == b"\x88", "with a frame that says so"


def _upgraded(request: bytes) -> bytes:
    """The answer that begins a WebSocket (RFC 6455, section 4.2.2)."""
    key = re.search(rb"(?i)sec-websocket-key: (\S+)", request)
    assert key is not None, request
    accept = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    head = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade")
    return b"\r\n".join(
        (*head, b"Sec-WebSocket-Accept: " + accept, b"Sec-WebSocket-Protocol: v4.channel.k8s.io", b"\r\n")
    )
