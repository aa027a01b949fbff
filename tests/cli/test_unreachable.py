"""A command that reads a cluster ends within its bound, with one sentence, whatever the API server does."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mig_fleet.cli import bounded_reading
from mig_fleet.cli.__main__ import main
from mig_fleet.cli.bounded_reading import READ_WITHIN_S, read_within
from mig_fleet.cluster import connection
from mig_fleet.cluster.connection import CALL_TIMEOUT_S, FIRST_PAUSE_S, TRIES, WHOLE_CALL_S
from mig_fleet.cluster.errors import ClusterUnreachable
from tests.cli.test_pages import CLICKS, PAGE

COMMANDS = {
    "status --live": ["status", "--stack", "prod", "--live"],
    "import --cluster": ["import", "--cluster"],
}
STACK = """
config:
  mig-fleet:cluster: {{kubeconfig: {kubeconfig}}}
  mig-fleet:layouts: {{dense: {{gpu: H100-80GB, all: {{1g.10gb: 7}}}}}}
  mig-fleet:pools: {{serving: {{gpu: H100-80GB, gpusPerNode: 2, nodes: [n1], layout: dense}}}}
"""
SILENT_S, SLOW_S = 0.3, 1.5
"""In place of the 10 seconds of a silent server, and of the 120 seconds of all requests."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the kubeconfig for a server beside the stack `prod`."""
    monkeypatch.chdir(tmp_path)
    kubeconfig = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    (tmp_path / "stacks").mkdir()
    Path("stacks/Pulumi.prod.yaml").write_text(STACK.format(kubeconfig=kubeconfig))

    def write(server: str) -> None:
        document = {
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        kubeconfig.write_text(yaml.safe_dump(document))

    return write


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def slow() -> Iterator[str]:
    """A server that answers every request with a byte now and then."""
    stop = threading.Event()

    def drip(client: socket.socket) -> None:
        with client:
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not stop.wait(SILENT_S / 6):
                client.sendall(b" ")

    def serve(server: socket.socket) -> None:
        while not stop.is_set():
            client, _ = server.accept()
            threading.Thread(target=drip, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        socket.create_connection(server.getsockname()).close()
        thread.join()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_silent_server_is_one_sentence(
    command: str, project: Callable[[str], None], silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CALL_TIMEOUT_S", SILENT_S)
    project(silent)
    assert re.fullmatch(f"Error: the cluster at {silent} does not answer: .+\n", output_of(command))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_port_is_one_sentence(command: str, project: Callable[[str], None]) -> None:
    project("http://127.0.0.1:1")
    assert re.fullmatch("Error: the cluster at http://127.0.0.1:1 does not answer: .+\n", output_of(command))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_slow_server_ends_the_command_within_the_bound(
    command: str, project: Callable[[str], None], slow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_reading, "READ_WITHIN_S", SLOW_S)
    monkeypatch.setattr(connection, "WHOLE_CALL_S", 3 * SLOW_S)
    project(slow)
    started = time.monotonic()
    why = f"the cluster was not read completely within {SLOW_S} s"
    assert output_of(command) == f"Error: {why}; check the network between here and its API server\n"
    assert time.monotonic() - started < 3 * SLOW_S


def output_of(command: str) -> str:
    result = CliRunner().invoke(main, COMMANDS[command])
    assert result.exit_code == 1, result.output
    return result.output


def test_what_is_read_in_time_is_returned_and_an_error_is_kept() -> None:
    assert read_within(lambda: 1) == 1

    def fail() -> None:
        raise ClusterUnreachable("no answer")

    with pytest.raises(ClusterUnreachable, match="no answer"):
        read_within(fail)


def test_one_request_of_a_reading_fits_into_the_bound() -> None:
    tries = TRIES["GET"]
    assert tries * WHOLE_CALL_S <= READ_WITHIN_S
    assert tries * CALL_TIMEOUT_S + FIRST_PAUSE_S < 25, "docs/reference/command-line.md: after about 20 seconds"


def test_the_help_and_the_page_state_the_bound() -> None:
    bound = f"{READ_WITHIN_S} seconds"
    assert bound in (CLICKS["mig-fleet status"].help or "")
    assert bound in (CLICKS["mig-fleet import"].help or "")
    assert bound in PAGE
