"""A fleet in the background: up, status, down, and the end of its process by a signal."""

import json
import os
import signal
import stat
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mig_fleet.cli.commands.simulate import simulate as commands
from mig_fleet.simulator import Fault, Fleet
from mig_fleet.simulator.errors import NotRunning, NotStarted, UnknownNode
from mig_fleet.simulator.prometheus import Settings, start, stop
from mig_fleet.simulator.running import daemon_pid

pytestmark = pytest.mark.engine

ONE_NODE = "nodes:\n  - {name: only, gpu: A100-80GB, gpus: 1}\n"


def alive(pids: list[int]) -> list[int]:
    """The processes that still run, without zombies."""
    found = []
    for pid in pids:
        status = Path(f"/proc/{pid}/status")
        if status.exists() and "State:\tZ" not in status.read_text():
            found.append(pid)
    return found


@pytest.fixture
def one_node(tmp_path: Path) -> Path:
    file = tmp_path / "fleet-file.yaml"
    file.write_text(ONE_NODE)
    return file


@pytest.fixture
def lone(tmp_path: Path, binaries: Path, one_node: Path) -> Iterator[Fleet]:
    """A fleet of one node, started detached, as the command does."""
    fleet = Fleet(tmp_path / "fleet")
    fleet.up(binaries, one_node)
    yield fleet
    fleet.down()


def test_a_fleet_starts_once_is_detached_and_stops_completely(lone: Fleet, binaries: Path, one_node: Path) -> None:
    first = lone.status()
    processes = [first.pid, *first.processes.values()]
    assert len(alive(processes)) == 5
    assert os.getsid(first.pid) == first.pid, "its own session: closing the terminal does not end it"
    assert lone.up(binaries, one_node).pid == first.pid, "a second up starts no second fleet"
    assert stat.S_IMODE(lone.kubeconfig.stat().st_mode) == 0o600
    assert [node["metadata"]["name"] for node in lone.nodes()] == ["only"]
    other = one_node.with_name("other.yaml")
    other.write_text(ONE_NODE.replace("only", "another"))
    with pytest.raises(NotStarted, match="simulate down"):
        lone.up(binaries, other)
    with pytest.raises(NotStarted, match=r"without NVIDIA's own programs runs in .*simulate down"):
        lone.up(binaries, genuine=True)
    with pytest.raises(UnknownNode, match="its nodes: only"):
        lone.driver("another")
    assert lone.down()
    assert alive(processes) == []
    assert not lone.kubeconfig.exists() and not (lone.directory / "etcd").exists()
    assert not lone.down(), "no fleet runs any more"
    with pytest.raises(NotRunning, match="simulate up"):
        lone.nodes()


def is_served(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5):
            return True
    except OSError:
        return False


def test_the_prometheus_of_a_fleet_needs_one_and_stops_with_it(lone: Fleet, prometheus: Path, tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="simulate up"):
        start(tmp_path / "nothing", Settings(str(prometheus)), [])
    url = start(lone.directory, Settings(str(prometheus)), [])
    assert is_served(url)
    stop(lone.directory)
    assert not is_served(url)
    assert start(lone.directory, Settings(str(prometheus)), []) == url, "it starts again at the same address"
    lone.down()
    assert not is_served(url) and not (lone.directory / "prometheus").exists()


def test_all_processes_of_a_killed_fleet_end_and_the_next_start_resumes_it(
    lone: Fleet, binaries: Path, one_node: Path, prometheus: Path
) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}}
    lone.call("create", "/api/v1/namespaces", namespace)
    lone.join_node({"name": "late", "gpu": "A30-24GB", "gpus": 1})
    url = start(lone.directory, Settings(str(prometheus)), [])
    before = lone.status()
    processes = [before.pid, *before.processes.values()]
    os.kill(before.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while (alive(processes) or is_served(url)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(processes) == [], "the kernel kills the children of a killed daemon"
    assert not is_served(url), "and the Prometheus"
    assert daemon_pid(lone.directory) is None
    assert lone.status().phase == "failed"
    after = lone.up(binaries, one_node)
    assert lone.call("get", "/api/v1/namespaces/kept")["status"]["phase"] == "Active"
    assert after.server == before.server, "existing kubeconfigs keep working"
    assert lone.node_names() == ("only", "late"), "the added node is still there"

    os.kill(after.processes["kube-scheduler"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while lone.is_running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert lone.status().phase == "failed"
    assert "kube-scheduler ended with exit code -9" in lone.status().error, "the error names the program that ended"
    assert alive(list(after.processes.values())) == []


def test_the_commands_report_the_fleet_inject_faults_and_have_exit_codes(
    binaries: Path, one_node: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    lone = Fleet(tmp_path / "by-hand")

    def command(*arguments: str) -> Result:
        return CliRunner().invoke(commands, ["--directory", str(lone.directory), *arguments])

    request.addfinalizer(lone.down)
    assert "The fleet is ready after" in command("up", "--fleet", str(one_node)).stdout
    again = command("up").stdout
    assert again == f"The fleet is already running.\n\n  export KUBECONFIG={lone.kubeconfig}\n"
    shown = json.loads(command("status", "--json").stdout)
    assert shown["phase"] == "ready" and set(shown["processes"]) == {
        "simulator", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
    }  # fmt: skip
    assert shown["genuine"] is False
    node = {"name": "only", "gpu": "A100-80GB", "gpus": [None], "config": None, "state": None}
    assert shown["nodes"] == [{**node, "allocatable": {}, "faults": []}]
    assert "1x A100-80GB" in command("status").stdout
    assert command("fault", "only", "manager-fails").stdout == "faults on only: manager-fails\n"
    assert lone.faults("only") == {Fault.MANAGER_FAILS}
    assert command("fault", "only", "--clear").stdout == "faults on only: none\n"
    with lone.driver_file("only").change() as driver:
        driver.gpus[0].set_mode(True)
        driver.gpus[0].create("3g.40gb")
    destroyed = command("destroy-slice", "only", "--gpu", "0", "--start", "4")
    assert destroyed.stdout == "only: destroyed 3g.40gb at memory slice 4 of GPU 0\n"
    missing = command("destroy-slice", "only", "--gpu", "0", "--start", "4")
    assert (missing.exit_code, missing.stderr) == (1, "Error: GPU 0: GPU instance at memory slice 4: Not Found\n")
    wrong = command("fault", "onyl", "manager-fails")
    assert wrong.exit_code == 1 and "its nodes: only" in wrong.stderr
    assert command("down").stdout == "The fleet is stopped.\n"
    assert (command("status").exit_code, command("down").exit_code) == (3, 0)


def test_the_error_names_a_missing_program_and_the_remedy(tmp_path: Path, binaries: Path, one_node: Path) -> None:
    some = tmp_path / "some"
    some.mkdir()
    (some / "etcd").symlink_to(binaries / "etcd")
    fleet = Fleet(tmp_path / "fleet")
    with pytest.raises(NotStarted, match=r"kube-scheduler not found.*mig-fleet toolchain"):
        fleet.up(some, one_node)
    assert not fleet.is_running
    fleet.down()
