"""The cost of one reading of the probe: 8 GPUs with 7 slices each, through the simulated NVML library, and a simulated
kubelet with a pod on each slice.

    python -m benchmarks.probe_read [--runs 200] [--without-kubelet]

The packed program is measured as a node runs it, on a bare Python: the time from initializing NVML to the finished
report, and the resident memory of the reading process, next to that of an idle Python on the same machine. A real
driver adds the time of its own calls; their number is printed. A real kubelet adds the time in which it makes its list.

Exits 1 when the median reading takes more than 30 ms, or the process more than 50 MB at its peak.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from mig_fleet.components.probe import zipapp
from mig_fleet.simulator.driver import Driver, DriverFile
from mig_fleet.simulator.driver.gpu import new_gpu
from mig_fleet.simulator.driver.library import STATE_VARIABLE, library
from mig_fleet.simulator.node.allocation import device_id
from mig_fleet.simulator.node.pod_resources import PodDevices
from mig_fleet.simulator.node.pod_resources_server import served

MOST_MS = 30.0
MOST_MB = 50.0
GPUS, SLICES = 8, 7
RESOURCE = "nvidia.com/mig-1g.10gb"

IDLE = "import pathlib; print(pathlib.Path('/proc/self/status').read_text())"
READING = """
import sys
sys.path.insert(0, sys.argv[1])
import pynvml  # first, as in the packed program
import json, pathlib, time
from mig_fleet.probe import nvml, watch
from mig_fleet.model.gpus import all_models
all_models()  # as in the process that forks each reading
asks_kubelet = len(sys.argv) > 3
if asks_kubelet:
    from mig_fleet.probe.pod_resources import Kubelet

def once():
    started = time.perf_counter()
    if asks_kubelet:
        report, devices = nvml.read_with_devices("a-node")
        found, error = Kubelet(pathlib.Path(sys.argv[3])).allocations(devices)
        assert found is not None, error
        known.append(sum(each.gpu is not None for each in found))
    else:
        report = nvml.read("a-node")
    seconds.append(time.perf_counter() - started)
    assert not report.errors, report.errors
    return sum(len(gpu.instances) for gpu in report.gpus)

known = [0]

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
found = {"slices": slices, "pods": known[-1], "peak_kb": int(peak.split()[1]), "calls": calls}
print(json.dumps({"seconds": seconds[:-1], **found}))
"""


@dataclass(frozen=True)
class Reading:
    """Seconds of each reading in order; memory in MB of 10^6 bytes."""

    seconds: list[float]
    slices: int
    pods: int
    calls: int
    peak_mb: float
    idle_mb: float

    @property
    def median_ms(self) -> float:
        return median(self.seconds) * 1000


def measure(runs: int, with_kubelet: bool = True) -> Reading:
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
        arguments = [str(program), str(runs)]
        if with_kubelet:
            found = asyncio.run(_read_beside_kubelet(driver, environment, arguments))
        else:
            found = json.loads(_python(environment, READING, *arguments))
        idle = _python(environment, IDLE)
    idle_kb = next(int(line.split()[1]) for line in idle.splitlines() if line.startswith("VmHWM"))
    facts = {name: found[name] for name in ("seconds", "slices", "pods", "calls")}
    return Reading(**facts, peak_mb=found["peak_kb"] * 1024 / 1e6, idle_mb=idle_kb * 1024 / 1e6)


async def _read_beside_kubelet(driver: Driver, environment: dict[str, str], arguments: list[str]) -> Any:
    """The readings of a node whose kubelet lists a pod on each slice."""
    pods = tuple(
        PodDevices("a-namespace", f"a-pod-{gpu.index}-{it.id}", "main", ((RESOURCE, device_id(gpu, it)),))
        for gpu in driver.gpus
        for it in gpu.instances
    )
    async with served(lambda: pods) as folder:
        return json.loads(await asyncio.to_thread(_python, environment, READING, *arguments, str(folder)))


def _python(environment: dict[str, str], program: str, *arguments: str) -> str:
    """A Python without site packages, as the probe's image has it."""
    command = [sys.executable, "-I", "-S", "-c", program, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="readings (default: %(default)s)")
    parser.add_argument("--without-kubelet", action="store_true", help="as with probe.podResources: false")
    arguments = parser.parse_args()
    found = measure(arguments.runs, with_kubelet=not arguments.without_kubelet)
    print(f"{GPUS} GPUs, {found.slices} slices, {found.calls} calls of NVML per reading, {found.pods} pods found")
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
