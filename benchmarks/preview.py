"""A no-op `pulumi preview` of pools over 1,000 nodes, beside those of two programs without any, in the same run.

    python benchmarks/preview.py [--nodes 1000] [--pools 1] [--runs 5]

The control plane is real (API server and etcd), the nodes are objects on it: as GPU Feature Discovery, MIG Manager, the
kubelet and the probe leave nodes of eight H100 that are cut as declared. Three programs take turns: one that only
imports Pulumi (empty); one with as many dynamic resources as a pool has, each behind the one before, that do nothing
(idle); and the pools, of five waves each. All are deployed first; what is timed is a preview that finds nothing to do,
which for the pools means to look at every node and every report. Beside the time on the clock stands that of the
processors, which what else runs on the machine does not change.

What Pulumi takes for dynamic resources that do nothing is in the second figure, and nothing here can be faster than it.
Exits 1 when the median preview of the pools takes more than 1.5 times that of the empty program, or when Pulumi's state
holds more than 1 KB per node.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import toolchain
from mig import labels
from mig.layouts import Layout
from mig.report import ComputeInstance, Gpu, Instance, Report
from mig.strategy import Strategy
from simulator.api import Api, Json
from simulator.control_plane import ControlPlane

ROOT = Path(__file__).resolve().parents[1]
MOST_TIMES_EMPTY = 1.5
MOST_BYTES_PER_NODE = 1024
GPUS = 8
LAYOUT = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})
REPORTS = "mig-fleet"
AT_ONCE = 32
PATIENCE_S = 900

EMPTY = "import pulumi\n"
IDLE = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Idle(ResourceProvider):
    def create(self, props):
        return CreateResult("idle", props)

class Nothing(Resource, module="idle", name="Nothing"):
    pass

before = []
for number in range(10):
    before = [Nothing(Idle(), f"idle-{number}", {}, pulumi.ResourceOptions(depends_on=before))]
"""
POOLED = """
import json
import pulumi
from pathlib import Path
from components.pool import Pool
from mig.layouts import Layout
from mig.strategy import Strategy

for name, nodes in json.loads(Path("pools.json").read_text()).items():
    pool = Pool(name, {{
        "cluster": {{"kubeconfig": "{kubeconfig}"}},
        "namespace": "gpu-operator",
        "reports": "{reports}",
        "gpu": "H100-80GB",
        "gpus_per_node": {gpus},
        "nodes": nodes,
        "layout": Layout.uniform("dense", "H100-80GB", {{"1g.10gb": 7}}),
        "strategy": Strategy.MIXED,
        "rollout": {{"max_unavailable": "25%"}},
    }})
    pulumi.export(name, pool.realized)
"""


@dataclass
class Project:
    """A program with a backend of its own."""

    folder: Path
    seconds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    """Processor seconds of the same runs, in all processes."""

    def create(self, program: str, work: toolchain.Workspace) -> None:
        self.folder.mkdir()
        (self.folder / "state").mkdir()
        (self.folder / "__main__.py").write_text(program)
        options = f"{{toolchain: pip, virtualenv: {sys.prefix}}}"
        text = f"name: {self.folder.name}\nruntime: {{name: python, options: {options}}}\n"
        (self.folder / "Pulumi.yaml").write_text(text)
        self._environment = {
            **work.environment(),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PYTHONPATH": str(ROOT),
        }
        self._pulumi = work.pulumi
        self.run("stack", "init", "--secrets-provider", "passphrase")

    def run(self, *arguments: str) -> float:
        """Seconds it took; ends the benchmark with the engine's words when it fails."""
        started = time.perf_counter()
        done = subprocess.run(
            [self._pulumi, *arguments, "--stack", "bench", "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(f"pulumi {arguments[0]} of {self.folder.name} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        return time.perf_counter() - started

    def preview(self) -> None:
        before = children()
        self.seconds.append(self.run("preview", "--expect-no-changes"))
        self.busy.append(children() - before)

    def state_bytes(self) -> int:
        """The checkpoint as the backend keeps it, without the white space that only files have."""
        (path,) = (self.folder / "state" / ".pulumi" / "stacks" / self.folder.name).glob("bench.json")
        return len(json.dumps(json.loads(path.read_text()), separators=(",", ":")))


def children() -> float:
    """Processor seconds of every process that was waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def a_node(name: str) -> Json:
    """What the API server would hold of a node whose layout is done."""
    allocatable = {key: str(count) for key, count in LAYOUT.allocatable(GPUS, Strategy.MIXED).items()}
    found = {labels.CONFIG: LAYOUT.config_name, labels.STATE: "success", labels.CAPABLE: "true"}
    room = {"cpu": "128", "memory": "1056Gi", "pods": "110", **allocatable}
    images = [{"names": [f"registry.example/team/image-{n}@sha256:{n:064x}"], "sizeBytes": n} for n in range(50)]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**found, **LAYOUT.gfd_labels(GPUS, Strategy.MIXED)}},
        "status": {
            "capacity": room,
            "allocatable": room,
            "conditions": [{"type": "Ready", "status": "True"}],
            "images": images,
        },
    }


def a_report(name: str, uid: str) -> Json:
    """What the node's probe would have published."""
    slices = tuple(Instance(n + 7, "1g.10gb", n, 1, (ComputeInstance(0, "1g.10gb", 1),)) for n in range(7))
    gpus = tuple(
        Gpu(index, f"GPU-{uid[:-1]}{index}", "0x233010DE", "NVIDIA H100 80GB HBM3", 81559, True, True, slices)
        for index in range(GPUS)
    )
    report = Report(name, "580.126.09", LAYOUT.config_name, "success", gpus)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{labels.REPORT_PREFIX}{name}", "labels": {labels.REPORT_LABEL: "true"}},
        "data": {labels.REPORT_KEY: report.to_json()},
    }


async def populate(directory: Path, names: list[str]) -> None:
    """Create every node and its report."""
    room = asyncio.Semaphore(AT_ONCE)
    async with Api(directory) as api:
        await api.create("/api/v1/namespaces", {"metadata": {"name": REPORTS}})

        async def one(name: str) -> None:
            async with room:
                made = await api.create("/api/v1/nodes", a_node(name))
                report = a_report(name, made["metadata"]["uid"])
                await api.create(f"/api/v1/namespaces/{REPORTS}/configmaps?fieldManager={labels.PROBE}", report)

        await asyncio.gather(*map(one, names))


async def measure(folder: Path, names: list[str], count: int, runs: int) -> tuple[Project, Project, Project]:
    """Deploy the programs, then let their previews take turns."""
    work = await asyncio.to_thread(toolchain.workspace, ROOT)
    plane = ControlPlane(folder / "cluster", work.bin)
    plane.directory.mkdir()
    empty, idle, pooled = projects = Project(folder / "empty"), Project(folder / "idle"), Project(folder / "pools")
    try:
        await plane.start()
        await populate(plane.directory, names)
        size = -(-len(names) // count)
        pools = {f"pool-{n}": names[n * size : (n + 1) * size] for n in range(count)}
        program = POOLED.format(kubeconfig=plane.kubeconfig, reports=REPORTS, gpus=GPUS)
        empty.create(EMPTY, work)
        idle.create(IDLE, work)
        pooled.create(program, work)
        (pooled.folder / "pools.json").write_text(json.dumps({name: nodes for name, nodes in pools.items() if nodes}))
        for project in projects:
            seconds = await asyncio.to_thread(project.run, "up", "--yes", "--skip-preview")
            print(f"{project.folder.name}: deployed in {seconds:.1f} s", flush=True)
        for _ in range(runs):
            for project in projects:
                await asyncio.to_thread(project.preview)
        return projects
    finally:
        plane.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000, help="node objects (default: %(default)s)")
    parser.add_argument("--pools", type=int, default=1, help="pools they are in (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="previews of each program (default: %(default)s)")
    chosen = parser.parse_args()
    names = [f"gpu-node-{n:04d}" for n in range(chosen.nodes)]
    with tempfile.TemporaryDirectory() as folder:
        empty, idle, pooled = asyncio.run(measure(Path(folder), names, chosen.pools, chosen.runs))
        growth = pooled.state_bytes() - empty.state_bytes()
    ratio = median(pooled.seconds) / median(empty.seconds)
    floor = median(idle.seconds) / median(empty.seconds)
    per_node = growth / chosen.nodes
    print(f"empty program: {told(empty)}")
    print(f"idle dynamic resources: {told(idle)}")
    print(f"{chosen.nodes} nodes in {chosen.pools} pool(s): {told(pooled)}")
    print(
        f"preview: {ratio:.2f} times an empty program's (bound {MOST_TIMES_EMPTY}); idle resources: {floor:.2f} times"
    )
    print(f"processor: {median(pooled.busy) / median(empty.busy):.2f} times an empty program's")
    print(f"state: {per_node:.0f} bytes per node (bound {MOST_BYTES_PER_NODE})")
    return 0 if ratio <= MOST_TIMES_EMPTY and per_node <= MOST_BYTES_PER_NODE else 1


def told(project: Project) -> str:
    times: list[Any] = sorted(project.seconds)
    span = f"{times[0]:.2f} to {times[-1]:.2f}"
    return f"median {median(times):.2f} s of {len(times)} previews ({span}), {median(project.busy):.2f} s of processor"


if __name__ == "__main__":
    sys.exit(main())
