"""What each command prints with `--json`: real outputs, in which every key occurs."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from mig_fleet.cli import advise, live_status, simulate
from mig_fleet.cli.__main__ import main
from mig_fleet.model import labels
from mig_fleet.model.allocation import Allocation
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.simulator.running import Status
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file import summary
from tests.advice.measurements import of_nodes
from tests.advice.recorded import Recorded
from tests.model.reports import a_gpu, a_report, an_instance

Sample = Callable[[Path, pytest.MonkeyPatch], list[Any]]


def output(*words: object) -> Any:
    return json.loads(CliRunner().invoke(main, [str(word) for word in words], prog_name="mig-fleet").stdout)


def of(*commands: str) -> Sample:
    return lambda _folder, _patch: [output(*command.split(), "--json") for command in commands]


def of_check_files(tmp_path: Path, _patch: pytest.MonkeyPatch) -> list[Any]:
    file = tmp_path / "layouts.yaml"
    file.write_text("version: v1\nmig-configs: {a: [{devices: [0], mig-enabled: false}]}\n")
    return [output("check", "--gpus-per-node", "2", "--json", file)]


STACK = """
config:
  mig-fleet:cluster: {{context: c}}
  mig-fleet:layouts: {{dense: {{gpu: H100-80GB, all: {profiles}}}}}
  mig-fleet:pools:
    named: {{gpu: H100-80GB, gpusPerNode: 2, nodes: [n1], layout: dense}}
    selected: {{gpu: H100-80GB, gpusPerNode: 2, selector: {{matchLabels: {{role: gpu}}}}, layout: dense}}
  mig-fleet:prices: {{H100-80GB: {price}}}
"""


def of_plan(tmp_path: Path, _patch: pytest.MonkeyPatch) -> list[Any]:
    file = tmp_path / "after.yaml"
    file.write_text(STACK.format(profiles="{1g.10gb: 7}", price=2.5))
    return [output("plan", "--file", file, "--json")]


def of_plan_against(tmp_path: Path, patch: pytest.MonkeyPatch) -> list[Any]:
    before = tmp_path / "before.yaml"
    before.write_text(STACK.format(profiles="{3g.40gb: 2}", price=3))
    of_plan(tmp_path, patch)
    return [output("plan", "--file", tmp_path / "after.yaml", "--against", before, "--json")]


def of_advise(tmp_path: Path, patch: pytest.MonkeyPatch) -> list[Any]:
    """Slices that can be smaller, and a GPU without MIG beside them."""
    file = tmp_path / "stack.yaml"
    groups = "[{devices: [0], profiles: {3g.40gb: 2}}, {devices: [1], disabled: true}]"
    file.write_text(STACK.format(profiles="{}", price=2.5).replace("all: {}", f"gpus: {groups}"))
    recorded = Recorded([*of_nodes("3g.40gb", 2, ["n1"], gpus=[0])], warnings=["a store is away"])
    patch.setattr(advise, "Prometheus", lambda _access: recorded)
    return [output("advise", file, "--prometheus", "https://prometheus.example.com", "--json")]


def of_policies(tmp_path: Path, _patch: pytest.MonkeyPatch) -> list[Any]:
    config = tmp_path / "policies.json"
    config.write_text('{"mig-budget-kept": {"perHourUsd": 1}}')
    return [output("policies", "--config", config, "--json")]


class AFleet:
    """A simulated fleet as `mig-fleet simulate status` sees it."""

    kubeconfig = Path("kubeconfig")

    def status(self) -> Status:
        return Status("ready", pid=1, server="https://localhost:1", processes={"etcd": 2})

    def nodes(self) -> list[dict[str, Any]]:
        return [{"metadata": {"name": "n1"}, "status": {"allocatable": {"nvidia.com/mig-1g.10gb": "7"}}}]

    def driver(self, _node: str) -> SimpleNamespace:
        model = SimpleNamespace(name="H100-80GB")
        return SimpleNamespace(gpus=[SimpleNamespace(model=model, mode=True, counts=lambda: {"1g.10gb": 7})])

    def faults(self, _node: str) -> set[str]:
        return {"manager-fails"}


def of_simulate(*words: str) -> Sample:
    def sample(_folder: Path, patch: pytest.MonkeyPatch) -> list[Any]:
        patch.setattr(simulate, "Fleet", lambda _directory: AFleet())
        return [output("simulate", *words, "--json")]

    return sample


def of_status(_folder: Path, _patch: pytest.MonkeyPatch) -> list[Any]:
    """The outputs of `stacks.program.deploy`."""
    local = fleets.from_file(Path("stacks/Pulumi.local.yaml"))
    configs = {pool.name: pool.layout.config_name for pool in local.pools}
    slices = {pool.name: dict.fromkeys(pool.nodes, "GPU 0-7: 7x 1g.10gb") for pool in local.pools}
    amounts = {"capacity": summary.capacity(local), "cost": summary.cost(local)}
    return [{"strategy": str(local.strategy), "configs": configs, "slices": slices, **amounts}]


def of_live_status(_folder: Path, _patch: pytest.MonkeyPatch) -> list[Any]:
    """One node of each kind of report."""
    local = fleets.from_file(Path("stacks/Pulumi.local.yaml"))
    has = Allocation("team", "web", "nvidia.com/mig-1g.10gb", 0, 1, 0)
    read = replace(a_report(a_gpu(0, an_instance(1, "1g.10gb", 0, 1))), node="n1", allocations=(has,))
    node = Node(
        name="n1",
        labels={labels.CONFIG: read.config or "", labels.STATE: read.state or ""},
        annotations={labels.WAVE: "serving-wave-0"},
        allocatable={"nvidia.com/mig-1g.10gb": 1},
        report=read,
    )
    seen = Snapshot({"n1": node})
    nodes = live_status.live_nodes(local, seen, [("team", "web")])
    found = live_status.to_json(nodes, live_status.resources(nodes.values(), local, seen))
    return [json.loads(msgspec.json.encode(found))]


def of_probe(_folder: Path, _patch: pytest.MonkeyPatch) -> list[Any]:
    report = a_report(*(a_gpu(index, an_instance(1, "1g.10gb", 0, 1)) for index in range(2)))
    allocation = Allocation("team-a", "notebook", "nvidia.com/mig-1g.10gb", 0, 1, 0)
    return [json.loads(replace(report, allocations=(allocation,)).to_json())]


SAMPLES: dict[str, Sample] = {
    "advise": of_advise,
    "check": of(
        "check --gpu H100-80GB 1g.10gb=2 --price 2.5",
        "check --gpu H100-80GB 3g.40gb=3",
        "check --gpu H100-80GB --keep 3g.40gb@0",
    ),
    "check-files": of_check_files,
    "gpus": of("gpus"),
    "gpus-profile": of("gpus 1g.6gb"),
    "monitoring": of("monitoring"),
    "plan": of_plan,
    "plan-against": of_plan_against,
    "policies": of_policies,
    "probe-read": of_probe,
    "review": of("review tests/review/previews/one-gpu.json", "review tests/review/previews/drift.json"),
    "rights": of("rights"),
    "simulate-fault": of_simulate("fault", "n1"),
    "simulate-faults": of_simulate("faults"),
    "simulate-status": of_simulate("status"),
    "status": of_status,
    "status-live": of_live_status,
    "toolchain": of("toolchain --check"),
}
"""Name of the schema → samples."""
