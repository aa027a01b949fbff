"""A `pulumi preview` without changes of pools over 100, 1,000 and 5,000 nodes, compared with three programs without
pools.

    python -m benchmarks.preview [--nodes 100 1000 5000] [--pools 1] [--runs 5]

The control plane is real (API server and etcd). The nodes are objects on it (`benchmarks.synthetic_nodes`). Four
programs (`benchmarks.programs`) take turns: empty; idle, with dynamic resources that do nothing; floor, which also
lists all nodes and reports; and the pools. All are deployed first. Measured is a preview without changes, in which the
pools observe every node and every report. Its time includes the API server's answers. The processor time of the
engine's processes and that of the API server are printed too, because other work on the machine changes them little.

Exits 1 if a preview grows by more than 0.4 ms per node from one size to the next, if the largest takes more than 3
times as long as that of the empty program, or if Pulumi's state holds more than 1 KB per node. The growth is that of
the least times of several runs: other work only adds to a time.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.programs import EMPTY, FLOOR, IDLE, POOLED
from benchmarks.project import ROOT, Cost, Project
from benchmarks.synthetic_nodes import GPUS, OPERATOR, REPORTS, deployed_annotations, populate
from mig_fleet import toolchain
from mig_fleet.simulator.control_plane import ControlPlane

MAX_MS_PER_NODE = 0.4
MAX_TIMES_EMPTY = 3.0
"""With the most nodes."""
MAX_BYTES_PER_NODE = 1024
NODES = (100, 1000, 5000)
PROGRAMS = ("empty", "idle", "floor", "pools")


@dataclass(frozen=True)
class Fleet:
    """What the previews of one fleet took."""

    nodes: int
    costs: dict[str, list[Cost]]
    """Program → one cost per run."""
    api_server_s: list[float]
    """Processor time of the API server in each preview of the pools."""
    bytes_per_node: float
    """Of Pulumi's state."""

    def least_s(self, program: str) -> float:
        return min(cost.seconds for cost in self.costs[program])

    @property
    def times_empty(self) -> float:
        return self.least_s("pools") / self.least_s("empty")

    def row(self) -> str:
        """A line of the table in docs/architecture.md."""
        paid = self.costs["pools"]
        times = sorted(cost.seconds for cost in paid)
        processor, server = median(cost.processor_s for cost in paid), median(self.api_server_s)
        memory = max(cost.largest_process_mib for cost in paid)
        return (
            f"| {self.nodes:,} | {times[0]:.1f} s (median {median(times):.1f} s) | {self.times_empty:.1f} | "
            f"{processor:.1f} s | {server:.2f} s | {memory:.0f} MiB |"
        )


HEADER = """\
| nodes | preview | times an empty program | processor time | of the API server | memory of the largest process |
|---|---|---|---|---|---|"""


def ms_per_node(fleets: Sequence[Fleet]) -> list[float]:
    """The growth of the preview from each fleet to the next larger one, in milliseconds per node."""
    return [
        1000 * (larger.least_s("pools") - smaller.least_s("pools")) / (larger.nodes - smaller.nodes)
        for smaller, larger in pairwise(fleets)
    ]


def beyond_bounds(fleets: Sequence[Fleet]) -> list[str]:
    """What is larger than it may be; ``fleets`` are in the order of their sizes."""
    largest = fleets[-1]
    found = [
        f"from {smaller.nodes:,} to {larger.nodes:,} nodes a preview grows by {growth:.2f} ms per node"
        f" (bound {MAX_MS_PER_NODE})"
        for (smaller, larger), growth in zip(pairwise(fleets), ms_per_node(fleets), strict=True)
        if growth > MAX_MS_PER_NODE
    ]
    if largest.times_empty > MAX_TIMES_EMPTY:
        times = f"{largest.times_empty:.2f} times as long as an empty program's (bound {MAX_TIMES_EMPTY})"
        found.append(f"with {largest.nodes:,} nodes a preview takes {times}")
    if largest.bytes_per_node > MAX_BYTES_PER_NODE:
        found.append(f"the state holds {largest.bytes_per_node:.0f} bytes per node (bound {MAX_BYTES_PER_NODE})")
    return found


async def measure(folder: Path, nodes: int, pools: int, runs: int) -> Fleet:
    """The costs of each program's previews on a control plane of its own."""
    work = await asyncio.to_thread(toolchain.workspace, ROOT)
    names = [f"gpu-node-{n:04d}" for n in range(nodes)]
    size = -(-nodes // pools)
    members = {f"pool-{n}": names[n * size : (n + 1) * size] for n in range(pools)}
    plane = ControlPlane(folder / "cluster", work.bin)
    plane.directory.mkdir(parents=True)
    try:
        await plane.start()
        await populate(plane.directory, names, deployed_annotations(members))
        where = {"kubeconfig": plane.kubeconfig, "reports": REPORTS}
        programs = (EMPTY, IDLE, FLOOR.format(**where), POOLED.format(**where, operator=OPERATOR, gpus=GPUS))
        projects = {name: Project(folder / name, text, work) for name, text in zip(PROGRAMS, programs, strict=True)}
        (folder / "pools" / "pools.json").write_text(json.dumps({name: each for name, each in members.items() if each}))
        for name, project in projects.items():
            cost = await asyncio.to_thread(project.run, "up", "--yes", "--skip-preview")
            print(f"{name}: deployed in {cost.seconds:.1f} s", flush=True)
        fleet = Fleet(nodes, {name: [] for name in PROGRAMS}, [], projects["pools"].state_bytes("dynamic/mig:") / nodes)
        api_server = plane.children["kube-apiserver"].pid
        for _ in range(runs):
            for name, project in projects.items():
                before = processor_s(api_server)
                fleet.costs[name].append(await asyncio.to_thread(project.run, "preview", "--expect-no-changes"))
            fleet.api_server_s.append(processor_s(api_server) - before)
        return fleet
    finally:
        plane.stop()


def processor_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=NODES, help="sizes of fleets (default: %(default)s)")
    parser.add_argument("--pools", type=int, default=1, help="pools they are in (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="previews of each program (default: %(default)s)")
    chosen = parser.parse_args()
    fleets = []
    for nodes in sorted(chosen.nodes):
        with tempfile.TemporaryDirectory() as folder:
            fleet = asyncio.run(measure(Path(folder), nodes, chosen.pools, chosen.runs))
        fleets.append(fleet)
        for name in PROGRAMS:
            print(f"{nodes:,} nodes, {name}: {summary(fleet.costs[name])}", flush=True)
    print(HEADER, *(fleet.row() for fleet in fleets), sep="\n")
    for (smaller, larger), growth in zip(pairwise(fleets), ms_per_node(fleets), strict=True):
        print(f"{smaller.nodes:,} to {larger.nodes:,} nodes: {growth:.2f} ms per node (bound {MAX_MS_PER_NODE})")
    print(f"state: {fleets[-1].bytes_per_node:.0f} bytes per node (bound {MAX_BYTES_PER_NODE})")
    problems = beyond_bounds(fleets)
    print(*problems, sep="\n")
    return int(bool(problems))


def summary(paid: Sequence[Cost]) -> str:
    times = sorted(cost.seconds for cost in paid)
    busy = median(cost.processor_s for cost in paid)
    spread = f"{times[0]:.2f} to {times[-1]:.2f}"
    return f"median {median(times):.2f} s of {len(times)} ({spread}), {busy:.2f} s of processor time"


if __name__ == "__main__":
    sys.exit(main())
