"""A verified change of layout on hundreds of simulated nodes, compared with an Ansible loop that writes the labels.

    python -m benchmarks.rollout [--nodes 50 200 1000] [--waves 1 4] [--ansible PATH/TO/ansible-playbook]

The control plane, the engine and the providers are real. The nodes are simulated (two H100 each, short timings) and
share this machine's cores with what is measured, so most of the time is theirs. Measured is one `pulumi up` that
changes the layout of every node, wave by wave, from the engine's start to the last verified node. The table also has
the processor time of the engine, the program and the providers alone, and the time in which the providers write all
labels.
The Ansible loop (`kubernetes.core.k8s`, one patch per node) only writes the label and waits for nothing.

Prints a table with one line per number of nodes and of waves. Exits 1 when an Ansible loop took less than 50 times our
labelling, or when an update fails.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.project import ROOT, STACK, Cost, Project
from mig_fleet import toolchain
from mig_fleet.cluster.connection import Connection
from mig_fleet.model import labels
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.expected import Expected
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.wave import Wave
from mig_fleet.simulator import CHARTS, Fleet

LAYOUTS = {"1g.10gb": 7}, {"2g.20gb": 3}
GPUS = 2
MIN_TIMES_FASTER = 50
TIMEOUT_S = 3600
ROW = "{:>6} {:>6} {:>9} {:>8} {:>11} {:>12} {:>10} {:>9} {:>10} {:>7}"
HEAD = ("nodes", "waves", "change s", "ms/node", "processor s", "ms/node", "labels s", "MiB", "state B", "B/node")

PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {{ansible_python_interpreter: "{python}"}}
  tasks:
    - kubernetes.core.k8s:
        kubeconfig: {kubeconfig}
        state: patched
        kind: Node
        name: "{{{{ item }}}}"
        definition: {{metadata: {{labels: {{nvidia.com/mig.config: {config}}}}}}}
      loop: {nodes}
"""


def a_stack(folder: Path, work: toolchain.Workspace) -> Project:
    """The product's own program."""
    (folder / "mig-fleet" / "stacks").mkdir(parents=True)
    program = (ROOT / "__main__.py").read_text()
    return Project(folder / "mig-fleet", program, work, stackConfigDir="stacks")


def update(stack: Project, fleet: Fleet, nodes: list[str], waves: int, profiles: dict[str, int]) -> Cost:
    """One update of every node to this layout, in ``waves`` waves or more."""
    config = {
        "cluster": {"kubeconfig": str(fleet.kubeconfig)},
        "operator": {"chart": str(CHARTS / "gpu-operator"), "repository": None, "timeout": "10m"},
        "layouts": {"bench": {"gpu": "H100-80GB", "all": profiles}},
        "pools": {
            "bench": {
                "gpu": "H100-80GB",
                "gpusPerNode": GPUS,
                "nodes": nodes,
                "layout": "bench",
                "rollout": {"maxUnavailable": -(-len(nodes) // waves), "timeout": "30m"},
            }
        },
    }
    file = stack.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    kept = yaml.safe_load(file.read_text())
    settings = {f"mig-fleet:{key}": value for key, value in config.items()}
    file.write_text(yaml.safe_dump({**kept, "config": settings}))
    return stack.run("up", "--yes", "--skip-preview")


def fleet_file(folder: Path, nodes: list[str]) -> Path:
    path = folder / "fleet.yaml"
    specs = [{"name": name, "gpu": "H100-80GB", "gpus": GPUS} for name in nodes]
    path.write_text(yaml.safe_dump({"probe": "inProcess", "nodes": specs}))
    return path


def label(fleet: Fleet, nodes: list[str]) -> float:
    """Seconds in which our providers do what the loop does: one patch per node, in parallel. The value stays."""
    wave = Wave(
        cluster={"kubeconfig": str(fleet.kubeconfig)},
        namespace="-",
        reports_namespace="-",
        wave="-",
        nodes=tuple(nodes),
        expected=Expected.of_gpus("-", (), Strategy.MIXED),
    )
    context = RolloutContext(wave)
    found = context.cluster().get("/api/v1/nodes")["items"]
    carried = {node["metadata"]["name"]: node["metadata"]["labels"][labels.CONFIG] for node in found}
    started = time.perf_counter()
    _, failed = context.on_each(
        nodes, lambda cluster, name: cluster.patch_node(name, {labels.CONFIG: carried[name]}, {})
    )
    if failed:
        sys.exit(f"labelling failed: {failed}")
    return time.perf_counter() - started


def ansible(program: Path, folder: Path, fleet: Fleet, nodes: list[str]) -> float:
    """Seconds of the loop; the label keeps its value, so that no node is reconfigured."""
    config = Connection({"kubeconfig": str(fleet.kubeconfig)}).get(f"/api/v1/nodes/{nodes[0]}")["metadata"]["labels"]
    text = PLAYBOOK.format(
        python=program.parent / "python",
        kubeconfig=fleet.kubeconfig,
        config=config[labels.CONFIG],
        nodes=json.dumps(nodes),
    )
    playbook = folder / "playbook.yaml"
    playbook.write_text(text)
    started = time.perf_counter()
    done = subprocess.run(
        [program, playbook],
        env={**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_LOCALHOST_WARNING": "False"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        sys.exit(f"ansible-playbook failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return time.perf_counter() - started


def measure(count: int, waves: list[int], program: Path | None, folder: Path) -> Iterator[dict[str, Any]]:
    """The costs of a change for each number of waves; the last one also has the seconds of the Ansible loop."""
    nodes = [f"gpu-node-{n:04d}" for n in range(count)]
    fleet = Fleet(folder / "fleet")
    try:
        work = toolchain.workspace(ROOT)
        fleet.up(work.bin, fleet_file(folder, nodes), attached=True)
        stack = a_stack(folder, work)
        update(stack, fleet, nodes, waves[0], LAYOUTS[0])
        for turn, at_least in enumerate(waves, start=1):
            cost = update(stack, fleet, nodes, at_least, LAYOUTS[turn % 2])
            found = {"nodes": count, "cost": cost, "label_s": label(fleet, nodes)}
            found["state_bytes"] = stack.state_bytes("dynamic/mig:")
            found["waves"] = stack.resources("dynamic/mig:Verification")
            if program is not None and turn == len(waves):
                found["ansible_s"] = ansible(program, folder, fleet, nodes)
            yield found
    finally:
        fleet.down()


def row(found: dict[str, Any]) -> str:
    nodes, cost, state = found["nodes"], found["cost"], found["state_bytes"]
    return ROW.format(
        nodes,
        found["waves"],
        f"{cost.seconds:.1f}",
        f"{1000 * cost.seconds / nodes:.0f}",
        f"{cost.processor_s:.1f}",
        f"{1000 * cost.processor_s / nodes:.0f}",
        f"{found['label_s']:.2f}",
        f"{cost.largest_process_mib:.0f}",
        state,
        f"{state / nodes:.0f}",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[50, 200], help="simulated nodes (default: 50 200)")
    parser.add_argument("--waves", type=int, nargs="+", default=[1, 4], help="number of waves or more (default: 1 4)")
    parser.add_argument("--ansible", type=Path, help="ansible-playbook of an environment with kubernetes.core")
    chosen = parser.parse_args()
    slowest = float("inf")
    print(ROW.format(*HEAD), flush=True)
    for count in chosen.nodes:
        with tempfile.TemporaryDirectory(prefix="rollout-") as folder:
            for found in measure(count, chosen.waves, chosen.ansible, Path(folder)):
                print(row(found), flush=True)
                if "ansible_s" in found:
                    faster, complete = found["ansible_s"] / found["label_s"], found["ansible_s"] / found["cost"].seconds
                    slowest = min(slowest, faster)
                    print(
                        f"the Ansible loop over {count} nodes: {found['ansible_s']:.1f} s for the labels alone, "
                        f"{faster:.0f} times our labelling, {complete:.1f} times our complete verified change",
                        flush=True,
                    )
    return 0 if slowest >= MIN_TIMES_FASTER else 1


if __name__ == "__main__":
    sys.exit(main())
