"""The namespace in which NVIDIA's programs run shows them the files of a simulated node, and only them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mig_fleet.simulator import operating_system
from mig_fleet.simulator.errors import NotStarted
from mig_fleet.simulator.genuine import Machine, Namespace, machine, namespace, why_unavailable
from tests.conformance.conftest import require
from tests.conftest import ADriver

NO_NAMESPACE = """
import json
print(json.dumps({"error": "unshare: Operation not permitted"}), flush=True)
"""


@pytest.fixture
def a_machine(nvml_folder: Path, tmp_path: Path) -> Iterator[Machine]:
    require(why_unavailable(), {})
    with machine(tmp_path / "machine", nvml_folder) as ready:
        yield ready


def output(of: Machine, program: str) -> list[str]:
    done = of.run([sys.executable, "-I", "-S", "-c", program])
    assert done.code == 0, done.stderr
    return done.stdout.split()


def test_a_program_sees_the_gpus_and_modules_of_the_node_and_other_processes_do_not(
    a_driver: ADriver, a_machine: Machine
) -> None:
    a_machine.set(a_driver(gpus=2))
    look = "import os; print(*sorted(os.listdir('/sys/bus/pci/devices')), open('/proc/modules').read().split()[0])"
    assert output(a_machine, look) == ["0000:1b:00.0", "0000:2d:00.0", "nvidia"]
    devices = Path("/sys/bus/pci/devices")
    assert not devices.exists() or "0000:1b:00.0" not in {path.name for path in devices.iterdir()}


def test_other_hardware_is_seen_by_the_next_program(a_driver: ADriver, a_machine: Machine) -> None:
    look = "print(open('/sys/bus/pci/devices/0000:1b:00.0/device').read())"
    a_machine.set(a_driver(gpus=2))
    assert output(a_machine, look) == ["0x2330"]
    a_machine.set(a_driver(gpu="A30-24GB"))
    assert output(a_machine, look) == ["0x20b7"]


def test_a_program_sees_the_operating_system_and_the_kernel_of_the_node(a_machine: Machine) -> None:
    look = "print(open('/etc/os-release').read(), open('/proc/sys/kernel/osrelease').read())"
    assert output(a_machine, look) == [*operating_system.OS_RELEASE.split(), operating_system.KERNEL]


def test_the_rest_of_proc_is_that_of_the_machine(a_machine: Machine) -> None:
    assert output(a_machine, "import os; print(os.path.exists('/proc/self/maps'), os.getpid() > 1)") == ["True", "True"]


def test_a_program_that_does_not_end_is_stopped(a_machine: Machine) -> None:
    done = a_machine.namespace.run([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"], {}, 0.2)
    assert (done.code, done.stderr) == (124, "it did not end within 0.2 s")


def test_a_machine_without_namespaces_is_reported_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "inside.py"
    program.write_text(NO_NAMESPACE)
    monkeypatch.setattr(namespace, "PROGRAM", program)
    reason = "this machine allows no unprivileged mount namespace: unshare: Operation not permitted"
    with pytest.raises(NotStarted) as caught:
        Namespace(tmp_path / "node")
    assert str(caught.value) == why_unavailable() == reason


def test_without_namespaces_ci_fails_and_other_machines_skip() -> None:
    require(None, {"CI": "true"})
    with pytest.raises(pytest.fail.Exception, match="not permitted"):
        require("not permitted", {"CI": "true"})
    with pytest.raises(pytest.skip.Exception, match="not permitted"):
        require("not permitted", {})
