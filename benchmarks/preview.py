"""A `pulumi preview` without changes of pools over 1,000 nodes, compared with three programs without pools.

    python -m benchmarks.preview [--nodes 1000] [--pools 1] [--runs 5]

The control plane is real (API server and etcd). The nodes are objects on it, with what GPU Feature Discovery, MIG
Manager, the kubelet and the probe write for nodes of eight H100 that have their declared layout. Four programs
(`benchmarks.programs`) take turns: empty; idle, with dynamic resources that do nothing; floor, which also lists all
nodes and reports; and the pools. All are deployed first. Measured is a preview without changes, in which the pools
observe every node and every report. Processor time is printed too, because other work on the machine does not change
it.

A dynamic provider that observes the fleet with this client can hardly be faster than the floor. Exits 1 when the median
preview of the pools takes more than 1.5 times that of the empty program, or when Pulumi's state holds more than 1 KB
per node.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.programs import EMPTY, FLOOR, IDLE, POOLED
from benchmarks.project import ROOT, Cost, Project
from mig_fleet import toolchain
from mig_fleet.model import labels
from mig_fleet.model.gfd import expected_labels
from mig_fleet.model.layouts import Layout
from mig_fleet.model.report import ComputeInstance, Gpu, Instance, Report
from mig_fleet.model.strategy import Strategy
from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.control_plane import ControlPlane

MAX_TIMES_EMPTY = 1.5
MAX_BYTES_PER_NODE = 1024
GPUS = 8
LAYOUT = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})
OPERATOR = "gpu-operator"
REPORTS = "mig-fleet"
PARALLEL_REQUESTS = 32


def a_node(name: str) -> Json:
    """The Node object of a node that has its layout."""
    allocatable = {key: str(count) for key, count in LAYOUT.allocatable(GPUS, Strategy.MIXED).items()}
    found = {labels.CONFIG: LAYOUT.config_name, labels.STATE: "success", labels.CAPABLE: "true"}
    capacity = {"cpu": "128", "memory": "1056Gi", "pods": "110", **allocatable}
    images = [{"names": [f"registry.example/team/image-{n}@sha256:{n:064x}"], "sizeBytes": n} for n in range(50)]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**found, **expected_labels(LAYOUT.per_gpu(GPUS), Strategy.MIXED)}},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [{"type": "Ready", "status": "True"}],
            "images": images,
        },
    }


def a_report(name: str, uid: str) -> Json:
    """The ConfigMap that the node's probe would have written."""
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
    limit = asyncio.Semaphore(PARALLEL_REQUESTS)
    async with Api(directory) as api:
        for namespace in (OPERATOR, REPORTS):
            await api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})

        async def one(name: str) -> None:
            async with limit:
                created = await api.create("/api/v1/nodes", a_node(name))
                report = a_report(name, created["metadata"]["uid"])
                await api.create(f"/api/v1/namespaces/{REPORTS}/configmaps?fieldManager={labels.PROBE}", report)

        await asyncio.gather(*map(one, names))


async def measure(folder: Path, names: list[str], count: int, runs: int) -> tuple[list[list[Cost]], float]:
    """The costs of each program's previews, in the order of the programs, and the bytes of state per node."""
    work = await asyncio.to_thread(toolchain.workspace, ROOT)
    plane = ControlPlane(folder / "cluster", work.bin)
    plane.directory.mkdir()
    try:
        await plane.start()
        await populate(plane.directory, names)
        size = -(-len(names) // count)
        pools = {f"pool-{n}": names[n * size : (n + 1) * size] for n in range(count)}
        where = {"kubeconfig": plane.kubeconfig, "reports": REPORTS}
        pooled_program = POOLED.format(**where, operator=OPERATOR, gpus=GPUS)
        programs = {"empty": EMPTY, "idle": IDLE, "floor": FLOOR.format(**where), "pools": pooled_program}
        projects = [Project(folder / name, text, work) for name, text in programs.items()]
        pooled = projects[-1]
        (pooled.folder / "pools.json").write_text(json.dumps({name: nodes for name, nodes in pools.items() if nodes}))
        for project in projects:
            cost = await asyncio.to_thread(project.run, "up", "--yes", "--skip-preview")
            print(f"{project.folder.name}: deployed in {cost.seconds:.1f} s", flush=True)
        costs: list[list[Cost]] = [[] for _ in projects]
        for _ in range(runs):
            for project, paid in zip(projects, costs, strict=True):
                paid.append(await asyncio.to_thread(project.run, "preview", "--expect-no-changes"))
        return costs, pooled.state_bytes("dynamic/mig:") / len(names)
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
        costs, per_node = asyncio.run(measure(Path(folder), names, chosen.pools, chosen.runs))
    names_of = ("empty", "idle", "floor", f"{chosen.nodes} nodes in {chosen.pools} pool(s)")
    for what, paid in zip(names_of, costs, strict=True):
        print(f"{what}: {summary(paid)}")
    empty, idle, floor, times = (median(cost.seconds for cost in paid) for paid in costs)
    idle, floor, times = idle / empty, floor / empty, times / empty
    print(f"preview: {times:.2f} times an empty program's (bound {MAX_TIMES_EMPTY})")
    print(f"lower bounds: {idle:.2f} (idle), {floor:.2f} (floor)")
    print(f"state: {per_node:.0f} bytes per node (bound {MAX_BYTES_PER_NODE})")
    return 0 if times <= MAX_TIMES_EMPTY and per_node <= MAX_BYTES_PER_NODE else 1


def summary(paid: list[Cost]) -> str:
    times = sorted(cost.seconds for cost in paid)
    busy = median(cost.processor_s for cost in paid)
    spread = f"{times[0]:.2f} to {times[-1]:.2f}"
    return f"median {median(times):.2f} s of {len(times)} ({spread}), {busy:.2f} s of processor time"


if __name__ == "__main__":
    sys.exit(main())
