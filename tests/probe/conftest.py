"""Runs Python on simulated drivers. A process loads NVML once, so each reading has a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mig_fleet.simulator.driver import Driver, DriverFile
from mig_fleet.simulator.driver.library import STATE_VARIABLE

ROOT = Path(__file__).parents[2]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(nvml_folder: Path, tmp_path: Path) -> Run:
    """Runs Python on a driver's state with arguments and an input, and does not check the exit status."""

    def start(driver: Driver, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        file = DriverFile(tmp_path / "driver")
        file.write(driver)
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "LD_LIBRARY_PATH": str(nvml_folder), STATE_VARIABLE: str(file.path)},
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return start
