"""The cost of one reading of the probe: 8 GPUs with 7 slices each, through the simulated NVML library.

    python -m benchmarks.probe_read [--runs 200]

The packed program is measured as a node runs it, on a bare Python: the time from initializing NVML to the finished
report, and the resident memory of the reading process, next to that of an idle Python on the same machine. A real
driver adds the time of its own calls; their number is printed.

Exits 1 when the median reading takes more than 30 ms, or the process more than 40 MB at its peak.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from mig_fleet.components.probe import zipapp
from mig_fleet.simulator.driver import Driver, DriverFile
from mig_fleet.simulator.driver.gpu import new_gpu
from mig_fleet.simulator.driver.library import STATE_VARIABLE, library

MOST_MS = 30.0
MOST_MB = 40.0
GPUS, SLICES = 8, 7

IDLE = "import pathlib; print(pathlib.Path('/proc/self/status').read_text())"
READING = """
import sys
sys.path.insert(0, sys.argv[1])
import pynvml  # first, as in the packed program
import json, pathlib, time
from mig_fleet.probe import nvml, watch
from mig_fleet.model.gpus import all_models
all_models()  # as in the process that forks each reading

def once():
    started = time.perf_counter()
    report = nvml.read("a-node")
    seconds.append(time.perf_counter() - started)
    assert not report.errors, report.errors
    return sum(len(gpu.instances) for gpu in report.gpus)

seconds = []
slices = [once() for _ in range(int(sys.argv[2]))][-1]
peak = next(line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))

calls, get_function = 0, pynvml._nvmlGetFunctionPointer
def count(name):
    global calls
    calls += 1
    return get_function(name)
pynvml._nvmlGetFunctionPointer = count
once()
print(json.dumps({"seconds": seconds[:-1], "slices": slices, "peak_kb": int(peak.split()[1]), "calls": calls}))
"""


@dataclass(frozen=True)
class Reading:
    """Seconds of each reading in order; memory in MB of 10^6 bytes."""

    seconds: list[float]
    slices: int
    calls: int
    peak_mb: float
    idle_mb: float

    @property
    def median_ms(self) -> float:
        return median(self.seconds) * 1000


def measure(runs: int) -> Reading:
    """Pack the probe, write a driver's state, and read it ``runs`` times in one process of a bare Python."""
    driver = Driver("580.126.09", 13000, [new_gpu("a-node", index, "H100-80GB") for index in range(GPUS)])
    for gpu in driver.gpus:
        gpu.set_mode(True)
        for _ in range(SLICES):
            gpu.create("1g.10gb")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "mig-probe.pyz"
        program.write_bytes(zipapp.build())
        DriverFile(folder / "driver").write(driver)
        environment = {
            **os.environ,
            "LD_LIBRARY_PATH": str(library(folder)),
            STATE_VARIABLE: str(folder / "driver"),
        }
        found = json.loads(_python(environment, READING, str(program), str(runs)))
        idle = _python(environment, IDLE)
    idle_kb = next(int(line.split()[1]) for line in idle.splitlines() if line.startswith("VmHWM"))
    return Reading(
        found["seconds"], found["slices"], found["calls"], found["peak_kb"] * 1024 / 1e6, idle_kb * 1024 / 1e6
    )


def _python(environment: dict[str, str], program: str, *arguments: str) -> str:
    """A Python without site packages, as the probe's image has it."""
    command = [sys.executable, "-I", "-S", "-c", program, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="readings (default: %(default)s)")
    found = measure(parser.parse_args().runs)
    print(f"{GPUS} GPUs, {found.slices} slices, {found.calls} calls of NVML per reading")
    print(
        f"time: {found.median_ms / MOST_MS:.2f} of the bound: median {found.median_ms:.1f} ms of "
        f"{len(found.seconds)}, the first {found.seconds[0] * 1000:.1f} ms (bound {MOST_MS:.0f} ms)"
    )
    print(
        f"memory: {found.peak_mb / MOST_MB:.2f} of the bound, {found.peak_mb / found.idle_mb:.1f} times an idle "
        f"Python: {found.peak_mb:.1f} MB at its peak (bound {MOST_MB:.0f} MB)"
    )
    return 0 if found.median_ms <= MOST_MS and found.peak_mb <= MOST_MB else 1


if __name__ == "__main__":
    sys.exit(main())
