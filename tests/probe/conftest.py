"""Runs Python on simulated drivers. A process loads NVML once, so each reading has a process of its own."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from ctypes import CDLL
from pathlib import Path

import pytest

from mig_fleet.cli import mig_probe
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


@pytest.fixture
def run_mig_probe(nvml_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """As ``run`` with `mig-probe` and arguments, but in this process: each reading of NVML has a fork of its own.

    To start Python and import our modules would take a quarter of a second each time.
    """
    file = DriverFile(tmp_path / "driver")
    monkeypatch.setattr("pynvml.CDLL", lambda name: CDLL(str(nvml_folder / name)))
    monkeypatch.setenv(STATE_VARIABLE, str(file.path))

    def start(driver: Driver, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        file.write(driver)
        monkeypatch.setattr(sys, "argv", ["mig-probe", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with (
            redirect_stdout(io.StringIO()) as output,
            redirect_stderr(io.StringIO()) as errors,
            pytest.raises(SystemExit) as ended,
        ):
            mig_probe.main()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(sys.argv, ended.value.code, output.getvalue(), errors.getvalue())

    return start
