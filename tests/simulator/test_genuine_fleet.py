"""A fleet that `mig-fleet simulate up --genuine` starts, with NVIDIA's own MIG Manager: its processes and folders."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from mig_fleet.simulator import Fault, Fleet
from mig_fleet.simulator.errors import NoSuchFault
from mig_fleet.simulator.genuine import why_unavailable
from mig_fleet.simulator.polling import wait_until
from tests.conformance.conftest import require
from tests.own_fleet import fleet_of_the_command, simulate
from tests.simulator.site import Site

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

NODE: Final = "hopper-1"
FLEET: Final = f"nodes: [{{name: {NODE}, gpu: H100-80GB, gpus: 1}}]\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    require(why_unavailable(), os.environ)
    with fleet_of_the_command(tmp_path, FLEET, "--genuine") as fleet:
        site = Site(fleet)
        site.install()
        yield site


def managers(fleet: Fleet) -> list[int]:
    """The processes of NVIDIA's MIG Manager that the fleet has started."""
    daemon = fleet.status().pid
    children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
    return [int(pid) for pid in children if (Path("/proc") / pid / "comm").read_text().startswith("nvidia-mig-mana")]


def root_of_host(pid: int) -> Path:
    """The folder that MIG Manager gets as the root of its host."""
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return Path(next(it for it in variables if it.startswith(b"HOST_ROOT_MOUNT=")).decode().partition("=")[2])


def runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_processes_and_folders_end_with_the_fleet_and_a_killed_one_is_resumed_with_nvidias_programs(site: Site) -> None:
    fleet = site.fleet
    assert "NVIDIA's own MIG Manager runs on the nodes." in simulate(fleet, "status")
    with pytest.raises(NoSuchFault, match="manager-fails is a fault of the simulated MIG Manager"):
        fleet.inject(NODE, Fault.MANAGER_FAILS)
    (killed,), daemon = managers(fleet), fleet.status().pid
    folder = root_of_host(killed)
    os.kill(daemon, signal.SIGKILL)
    wait_until(lambda: not runs(killed), "the kernel kills MIG Manager, too")
    assert folder.exists()

    simulate(fleet, "up")
    assert not folder.exists(), "what the killed fleet left behind is deleted"
    assert json.loads(simulate(fleet, "status", "--json"))["genuine"] is True
    wait_until(lambda: len(managers(fleet)) == 1, "NVIDIA's MIG Manager runs again")
    site.assign(NODE, "dense")
    site.wait_for_success(NODE, "dense")
    assert dict(fleet.driver(NODE).gpus[0].counts()) == {"1g.10gb": 7}

    (stopped,) = managers(fleet)
    folder = root_of_host(stopped)
    simulate(fleet, "down")
    assert not runs(stopped)
    assert not folder.exists() and not folder.parent.exists()
