"""Fixtures of the simulator's tests: NVIDIA's Python bindings on a driver, and a small fleet without faults."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mig_fleet.simulator.driver import Driver, DriverFile
from mig_fleet.simulator.driver.library import reading
from tests.own_fleet import own_fleet_in
from tests.simulator.site import Site

Pynvml = Callable[[Driver, str], str]


@pytest.fixture
def pynvml(nvml_folder: Path, tmp_path: Path) -> Pynvml:
    """Run Python code with the unmodified nvidia-ml-py on a driver's state; returns its output."""

    def run(driver: Driver, code: str) -> str:
        file = DriverFile(tmp_path / "driver")
        file.write(driver)
        environment = {**os.environ, **reading(nvml_folder, file)}
        program = f"from pynvml import *\n{code}"
        result = subprocess.run(
            [sys.executable, "-I", "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    return run


SMALL_FLEET = """
nodes:
  - {name: hopper-1, gpu: H100-80GB, gpus: 2}
  - {name: hopper-2, gpu: H100-80GB, gpus: 2}
  - {name: ampere-1, gpu: A100-80GB, gpus: 2}
timing: {configMapPropagation: 0.2, gfdInterval: 0.3, apply: 0.3, restartBackoff: 0.3, operandTimeout: 20}
"""


@pytest.fixture(scope="session")
def small_fleet(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A fleet of three nodes with the operands; its faults do not affect the tests with the default fleet."""
    with own_fleet_in(tmp_path_factory.mktemp("small-fleet"), binaries, SMALL_FLEET) as fleet:
        site = Site(fleet)
        site.install()
        yield site


@pytest.fixture
def site(small_fleet: Site) -> Site:
    """The small fleet without faults and with MIG disabled on every node."""
    for node in small_fleet.fleet.node_names():
        small_fleet.fleet.clear_faults(node)
    small_fleet.reset()
    return small_fleet
