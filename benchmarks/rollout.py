"""A change of layout on hundreds of simulated nodes: labelled, cut, read back, opened; beside an Ansible loop.

    python benchmarks/rollout.py [--nodes 200] [--waves 1] [--ansible PATH/TO/ansible-playbook]

The control plane, the engine and the providers are real; the nodes are simulated (two H100 each, short timings) and all
share this machine's cores with what is measured, so that most of the time is theirs. Timed is one `pulumi up` that
changes the layout of every node, wave by wave, from the engine's start to the last verified node. The Ansible loop
(`kubernetes.core.k8s`, one patch per node) only writes the label, and waits for nothing.

Prints seconds, the largest process's memory, bytes of state and requests per node; with Ansible, how many times longer
its loop took. Exits 1 when that is less than 50 times the labelling alone, or when an update fails.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import toolchain
from components.connection import Connection
from components.rollout.order import Order
from mig import labels
from simulator import CHARTS, Fleet

ROOT = Path(__file__).resolve().parents[1]
SEVEN, THREE = {"1g.10gb": 7}, {"2g.20gb": 3}
GPUS = 2
LEAST_TIMES_FASTER = 50
PATIENCE_S = 1800

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


@dataclass
class Stack:
    """The product's own program in a folder of its own."""

    folder: Path
    fleet: Fleet
    nodes: list[str]
    waves: int

    def __post_init__(self) -> None:
        work = toolchain.workspace(ROOT)
        self.pulumi = work.pulumi
        (self.folder / "stacks").mkdir(parents=True)
        (self.folder / "state").mkdir()
        for name in ("Pulumi.yaml", "__main__.py"):
            (self.folder / name).write_text((ROOT / name).read_text())
        (self.folder / ".venv").symlink_to(sys.prefix)
        self.environment = {**work.environment(), "PULUMI_BACKEND_URL": (self.folder / "state").as_uri()}
        self.run("stack", "init", "--secrets-provider", "passphrase")

    def up(self, profiles: dict[str, int]) -> float:
        """Seconds of one update to this layout."""
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
                    "rollout": {"maxUnavailable": -(-len(self.nodes) // self.waves), "timeout": "30m"},
                }
            },
        }
        file = self.folder / "stacks" / "Pulumi.bench.yaml"
        kept = yaml.safe_load(file.read_text())
        settings = {f"mig-fleet:{key}": value for key, value in config.items()}
        file.write_text(yaml.safe_dump({**kept, "config": settings}))
        started = time.perf_counter()
        self.run("up", "--yes", "--skip-preview")
        return time.perf_counter() - started

    def state_bytes(self) -> int:
        """The state as the engine exports it, without white space."""
        return len(json.dumps(json.loads(self.run("stack", "export")), separators=(",", ":")))

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.pulumi, *arguments, "--stack", "bench", "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if done.returncode:
            sys.exit(f"pulumi {arguments[0]} failed:\n{done.stdout[-4000:]}{done.stderr[-1000:]}")
        return done.stdout


def fleet_file(folder: Path, nodes: list[str]) -> Path:
    path = folder / "fleet.yaml"
    specs = [{"name": name, "gpu": "H100-80GB", "gpus": GPUS} for name in nodes]
    path.write_text(yaml.safe_dump({"probe": "inProcess", "nodes": specs}))
    return path


def label(fleet: Fleet, nodes: list[str]) -> float:
    """Seconds for what the loop does, as our providers do it: one patch per node, side by side. The value stays."""
    order = Order.of(
        {"cluster": {"kubeconfig": str(fleet.kubeconfig)}, "namespace": "-", "wave": "-", "timeout_s": 600}
    )
    carried = {name: node["metadata"]["labels"][labels.CONFIG] for name, node in order.cluster().nodes().items()}
    started = time.perf_counter()
    _, failed = order.each(nodes, lambda cluster, name: cluster.patch_node(name, {labels.CONFIG: carried[name]}, {}))
    if failed:
        sys.exit(f"labelling failed: {failed}")
    return time.perf_counter() - started


def ansible(program: Path, folder: Path, fleet: Fleet, nodes: list[str]) -> float:
    """Seconds of the loop; the label keeps its value, so that no node is cut by it."""
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
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode:
        sys.exit(f"ansible-playbook failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return time.perf_counter() - started


def measure(count: int, waves: int, program: Path | None, folder: Path) -> dict[str, Any]:
    nodes = [f"gpu-node-{n:04d}" for n in range(count)]
    fleet = Fleet(folder / "fleet")
    try:
        started = time.perf_counter()
        fleet.up(toolchain.workspace(ROOT).bin, fleet_file(folder, nodes), attached=True)
        print(f"{count} simulated nodes are up after {time.perf_counter() - started:.1f} s", flush=True)
        stack = Stack(folder / "project", fleet, nodes, waves)
        print(f"first update: {stack.up(SEVEN):.1f} s", flush=True)
        found: dict[str, Any] = {"change_s": stack.up(THREE), "label_s": label(fleet, nodes)}
        found["state_bytes"] = stack.state_bytes()
        found["largest_process_mib"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        if program is not None:
            found["ansible_s"] = ansible(program, folder, fleet, nodes)
        return found
    finally:
        fleet.down()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=200, help="simulated nodes (default: %(default)s)")
    parser.add_argument("--waves", type=int, default=1, help="at least so many waves (default: %(default)s)")
    parser.add_argument("--ansible", type=Path, help="ansible-playbook of an environment with kubernetes.core")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rollout-") as folder:
        found = measure(chosen.nodes, chosen.waves, chosen.ansible, Path(folder))
    print(f"change of layout:  {found['change_s']:.1f} s, {1000 * found['change_s'] / chosen.nodes:.0f} ms a node")
    print(f"labelling alone:   {found['label_s']:.2f} s, {1000 * found['label_s'] / chosen.nodes:.1f} ms a node")
    print(f"state:             {found['state_bytes']} bytes, {found['state_bytes'] / chosen.nodes:.0f} a node")
    print(f"largest process:   {found['largest_process_mib']:.0f} MiB")
    if "ansible_s" not in found:
        return 0
    faster, whole = found["ansible_s"] / found["label_s"], found["ansible_s"] / found["change_s"]
    print(f"the Ansible loop:  {found['ansible_s']:.1f} s for the labels alone")
    print(f"ratio:             {faster:.0f} times our labelling, {whole:.1f} times our whole verified change")
    return 0 if faster >= LEAST_TIMES_FASTER else 1


if __name__ == "__main__":
    sys.exit(main())
