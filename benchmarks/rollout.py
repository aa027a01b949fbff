"""A verified change of layout on hundreds of simulated nodes: what MIG Manager takes of it, and what mig-fleet adds.

    python -m benchmarks.rollout [--nodes 50 200 1000] [--waves 1 5] [--ansible PATH/TO/ansible-playbook]

The control plane, the engine and the providers are real. The nodes are simulated (two H100 each, short timings) and
share this machine's cores with what is measured, so most of the time is theirs. Measured is one `pulumi up` that
changes the layout of every node, wave by wave, from the engine's start to the last verified node. A watch on all nodes
shows when each of them is isolated, gets its label, reaches `success` and is schedulable again. The time from the first
label of a wave to its last `success` is MIG Manager's own; "before" is the time from the first isolated node to the
first label, "after" from the last `success` to the last schedulable node. The rest of a change is Pulumi's.
The table also has the processor time of the engine, the program and the providers alone, and the time in which the
providers write all labels. The Ansible loop only writes the same labels, one after the other, and waits for nothing.

Prints a table in Markdown with one line per number of nodes and of waves, and for each line what verification adds.
Exits 1 when verification of a wave of at most 50 nodes adds more than 3 s, when an Ansible loop took less than 50 times
our labelling, or when an update fails.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import yaml

from benchmarks.ansible_loop import ansible
from benchmarks.node_times import WaveTimes, observe
from benchmarks.project import ROOT, STACK, Cost, Project
from benchmarks.request_count import Load
from mig_fleet import toolchain
from mig_fleet.model import labels
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.expected import Expected
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.wave import Wave
from mig_fleet.simulator import CHARTS, Fleet

LAYOUTS = {"1g.10gb": 7}, {"2g.20gb": 3}
GPUS = 2
MOST_VERIFICATION_S = 3.0
BOUNDED_NODES = 50
"""The bound is for waves of at most this many nodes: more are busy for longer than that on two cores."""
MIN_TIMES_FASTER = 50
COLUMNS = (
    "nodes",
    "waves",
    "change",
    "MIG Manager's own",
    "before, a wave",
    "after, a wave",
    "processor",
    "labels alone",
    "memory",
    "state",
)


@dataclass(frozen=True)
class Change:
    """What one change of the layout of all nodes took."""

    cost: Cost
    waves: list[WaveTimes]
    load: Load
    """Of the API server, by the simulated nodes as well."""
    label_s: float
    """In which our providers do what the Ansible loop does."""
    state_bytes: int
    """Of the waves in Pulumi's state."""

    @property
    def nodes(self) -> int:
        return sum(len(wave.nodes) for wave in self.waves)

    @property
    def manager_s(self) -> float:
        """MIG Manager's own: the sum over all waves."""
        return sum(wave.manager_s for wave in self.waves)

    @property
    def verification_s(self) -> list[float]:
        """For each node: from the last ``success`` of its wave until its scheduling was restored."""
        return [seconds for wave in self.waves for seconds in wave.verification_s]

    @property
    def is_in_bound(self) -> bool:
        """Whether verification of each wave for which there is a bound was as fast."""
        bounded = [wave for wave in self.waves if len(wave.nodes) <= BOUNDED_NODES]
        return all(seconds <= MOST_VERIFICATION_S for wave in bounded for seconds in wave.verification_s)

    def __str__(self) -> str:
        """The row of the table."""
        cost, manager = self.cost, self.manager_s
        cells = (
            f"{self.nodes:,}",
            f"{len(self.waves)}",
            f"{cost.seconds:.1f} s",
            f"{manager:.1f} s ({manager / cost.seconds:.0%})",
            f"{mean(wave.isolation_s for wave in self.waves):.1f} s",
            f"{mean(max(wave.verification_s) for wave in self.waves):.1f} s",
            f"{cost.processor_s:.1f} s",
            f"{self.label_s:.2f} s",
            f"{cost.largest_process_mib:.0f} MiB",
            f"{self.state_bytes / self.nodes:,.0f} B a node",
        )
        return _row(cells)

    def verification(self) -> str:
        """The line about what verification adds."""
        own = [seconds for wave in self.waves for seconds in wave.node_verification_s]
        manager = [seconds for wave in self.waves for seconds in wave.node_manager_s]
        largest = max(len(wave.nodes) for wave in self.waves)
        operands = max(wave.operands_s for wave in self.waves)
        bound = f" (bound {MOST_VERIFICATION_S:g} s)" if largest <= BOUNDED_NODES else ""
        return (
            f"{self.nodes} nodes in {len(self.waves)} wave(s): verification adds {_spread(self.verification_s)}{bound} "
            f"after the last success of the wave, of which at most {operands:.1f} s until NVIDIA's operands offer the "
            f"slices; {_spread(own)} after the node's own success; MIG Manager takes {_spread(manager)} on a node; "
            f"{self.load.requests.get('LIST nodes', 0)} LISTs of all nodes, "
            f"{self.load.requests.get('LIST configmaps', 0)} of ConfigMaps; "
            f"the API server uses {self.load.processor_s:.0f} s of processor time"
        )


@dataclass(frozen=True)
class Rollouts:
    """A stack with one pool of all nodes of a simulated fleet."""

    stack: Project
    fleet: Fleet
    nodes: list[str]

    def change(self, waves: int, profiles: Mapping[str, int]) -> Change:
        """One update of every node to this layout, in ``waves`` waves or more."""
        cost, times, load = asyncio.run(observe(self.fleet.directory, lambda: self.update(waves, profiles)))
        state_bytes = sum(self.stack.state_bytes(f"dynamic/mig:{kind}") for kind in ("Assignment", "Verification"))
        return Change(cost, times, load, self.label(), state_bytes)

    def update(self, waves: int, profiles: Mapping[str, int]) -> Cost:
        config = {
            "cluster": {"kubeconfig": str(self.fleet.kubeconfig)},
            "operator": {"chart": str(CHARTS / "gpu-operator"), "repository": None, "timeout": "10m"},
            "layouts": {"bench": {"gpu": "H100-80GB", "all": profiles}},
            "pools": {
                "bench": {
                    "gpu": "H100-80GB",
                    "gpusPerNode": GPUS,
                    "nodes": self.nodes,
                    "layout": "bench",
                    "rollout": {"maxUnavailable": -(-len(self.nodes) // waves), "timeout": "30m"},
                }
            },
        }
        file = self.stack.folder / "stacks" / f"Pulumi.{STACK}.yaml"
        kept = yaml.safe_load(file.read_text())
        settings = {f"mig-fleet:{key}": value for key, value in config.items()}
        file.write_text(yaml.safe_dump({**kept, "config": settings}))
        return self.stack.run("up", "--yes", "--skip-preview")

    def label(self) -> float:
        """Seconds of one patch per node, in parallel as in an update. The value stays."""
        wave = Wave(
            cluster={"kubeconfig": str(self.fleet.kubeconfig)},
            namespace="-",
            reports_namespace="-",
            wave="-",
            nodes=tuple(self.nodes),
            expected=Expected.of_gpus("-", (), Strategy.MIXED),
        )
        context = RolloutContext(wave)
        found = context.cluster().get("/api/v1/nodes")["items"]
        carried = {node["metadata"]["name"]: node["metadata"]["labels"][labels.CONFIG] for node in found}
        started = time.perf_counter()
        _, failed = context.on_each(
            self.nodes, lambda cluster, name: cluster.patch_node(name, {labels.CONFIG: carried[name]}, {})
        )
        if failed:
            sys.exit(f"labelling failed: {failed}")
        return time.perf_counter() - started


@contextmanager
def rollouts(count: int, folder: Path) -> Iterator[Rollouts]:
    """A fleet of ``count`` nodes, and the product's own program, not yet deployed."""
    nodes = [f"gpu-node-{n:04d}" for n in range(count)]
    settings = folder / "fleet.yaml"
    specs = [{"name": name, "gpu": "H100-80GB", "gpus": GPUS} for name in nodes]
    settings.write_text(yaml.safe_dump({"probe": "inProcess", "nodes": specs}))
    stacks = folder / "mig-fleet" / "stacks"
    stacks.mkdir(parents=True)
    fleet, work = Fleet(folder / "fleet"), toolchain.workspace(ROOT)
    try:
        fleet.up(work.bin, settings, attached=True)
        program = (ROOT / "__main__.py").read_text()
        yield Rollouts(Project(stacks.parent, program, work, stackConfigDir=stacks.name), fleet, nodes)
    finally:
        fleet.down()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[50, 200], help="simulated nodes (default: 50 200)")
    parser.add_argument("--waves", type=int, nargs="+", default=[1, 5], help="number of waves or more (default: 1 5)")
    parser.add_argument("--ansible", type=Path, help="ansible-playbook of an environment with kubernetes.core")
    chosen = parser.parse_args()
    lines, is_fast = [], True
    print(_row(COLUMNS), _row(["---:"] * len(COLUMNS)), sep="\n", flush=True)
    for count in chosen.nodes:
        with tempfile.TemporaryDirectory(prefix="rollout-") as folder, rollouts(count, Path(folder)) as fleet:
            fleet.update(chosen.waves[0], LAYOUTS[0])
            for turn, waves in enumerate(chosen.waves, start=1):
                found = fleet.change(waves, LAYOUTS[turn % 2])
                print(found, flush=True)
                lines.append(found.verification())
                is_fast &= found.is_in_bound
            if chosen.ansible:
                loop_s = ansible(chosen.ansible, Path(folder), fleet.fleet.kubeconfig, fleet.nodes)
                lines.append(
                    f"the Ansible loop over {count} nodes: {loop_s:.1f} s for the labels alone, "
                    f"{loop_s / found.label_s:.0f} times our labelling, "
                    f"{loop_s / found.cost.seconds:.1f} times our complete verified change"
                )
                is_fast &= loop_s >= MIN_TIMES_FASTER * found.label_s
    print("", *lines, sep="\n")
    return 0 if is_fast else 1


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(seconds: list[float]) -> str:
    return f"median {median(seconds):.1f} s, maximum {max(seconds):.1f} s"


if __name__ == "__main__":
    sys.exit(main())
