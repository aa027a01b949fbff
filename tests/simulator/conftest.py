"""Nodes and drivers to start from; each test changes the one thing it is about."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.driver import Driver, DriverFile
from simulator.driver.gpu import new_gpu
from simulator.driver.library import STATE_VARIABLE, library

ADriver = Callable[..., Driver]
Pynvml = Callable[[Driver, str], str]


@pytest.fixture(scope="session")
def nvml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the compiled library."""
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
def pynvml(nvml_folder: Path, tmp_path: Path) -> Pynvml:
    """Runs Python code with the unmodified nvidia-ml-py on a driver's state; returns what it printed."""

    def run(driver: Driver, code: str) -> str:
        file = DriverFile(tmp_path / "driver")
        file.write(driver)
        environment = {**os.environ, "LD_LIBRARY_PATH": str(nvml_folder), STATE_VARIABLE: str(file.path)}
        program = f"from pynvml import *\n{code}"
        done = subprocess.run(
            [sys.executable, "-I", "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
