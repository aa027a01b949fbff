"""Drivers to read, and Python to read them with: NVML is found when a process starts, so each reading has its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.driver import Driver, DriverFile
from simulator.driver.gpu import new_gpu
from simulator.driver.library import STATE_VARIABLE, library

ROOT = Path(__file__).parents[2]

ADriver = Callable[..., Driver]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def nvml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the simulated ``libnvidia-ml.so.1``."""
    return library(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def a_driver() -> ADriver:
    """A node's driver: by default one H100 in MIG mode, cut as ``profiles`` says, in that order."""

    def make(*profiles: str, gpu: str = "H100-80GB", gpus: int = 1, mig: bool = True) -> Driver:
        driver = Driver("580.126.09", 13000, [new_gpu("a-node", index, gpu) for index in range(gpus)])
        for each in driver.gpus:
            if mig:
                each.set_mode(True)
            for profile in profiles:
                each.create(profile)
        return driver

    return make


@pytest.fixture
def run(nvml_folder: Path, tmp_path: Path) -> Run:
    """Runs Python on a driver's state, with arguments and an input; nothing of it is checked."""

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
