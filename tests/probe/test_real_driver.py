"""NVIDIA's own library, if this machine has it; read-only, like every reading of the probe."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from mig_fleet.model.report import Report

ROOT = Path(__file__).parents[2]


def has_a_library() -> bool:
    """Tried in another process: other tests load the simulated library of that name into this one."""
    load = "import ctypes; ctypes.CDLL('libnvidia-ml.so.1')"
    return subprocess.run([sys.executable, "-c", load], capture_output=True, check=False).returncode == 0


def test_this_machines_driver_is_read_completely_or_its_absence_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "MIG_SIMULATOR_DRIVER"}
    command = [sys.executable, "-m", "mig_fleet.probe", "read", "--node", "here"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    report = Report.from_json(done.stdout)
    with capsys.disabled():
        products = ", ".join(gpu.product for gpu in report.gpus) or "no GPU"
        print(f"\n  driver {report.driver_version or 'none'}: {products} {' '.join(report.errors)}")
    if not has_a_library():
        assert (done.returncode, report.driver_version, report.gpus) == (1, "", ())
        (error,) = report.errors
        assert error.startswith("nvmlInit: NVML Shared Library Not Found (no libnvidia-ml.so.1 here")
        return
    assert (done.returncode, report.errors) == (0, ())
    assert report.driver_version.split(".")[0].isdigit()
    for gpu in report.gpus:
        assert gpu.uuid.startswith("GPU-") and gpu.pci_id.endswith("10DE"), gpu
        assert (gpu.mig_mode_current is None) == (gpu.mig_mode_pending is None)
        taken = [(i.start, i.start + i.size) for i in sorted(gpu.instances, key=lambda i: i.start)]
        assert all(end <= begin for (_, end), (begin, _) in pairwise(taken)), "instances overlap"
        assert not any(i.profile.startswith("unknown(") for i in gpu.instances), gpu
