"""A stack on the simulated fleet, deployed by the real engine with a user's commands."""

import copy
import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mig_fleet import toolchain
from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from mig_fleet.model.formatting import format_gpus, parse_gpus
from mig_fleet.model.reported_slices import by_node
from mig_fleet.monitoring.series import DECLARED
from mig_fleet.observed.reports import read_reports
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.polling import wait_until
from mig_fleet.stack_file import fleet as fleets
from tests.engine.observed_cluster import REPORTS, observed_cluster
from tests.forked_python import forked_python

ROOT = Path(__file__).parents[2]
STACK = "test"
TIMEOUT_S = 600
"""Seconds for one command. Only a hanging one takes so long, even on a busy machine."""
READS = ("preview", "stack", "config")
"""Commands that change neither the cluster nor the resources in the state."""


@dataclass
class Outcome:
    """One run of the engine."""

    status: int
    text: str

    @property
    def diagnostics(self) -> str:
        """The section with the errors, without the progress lines that repeat them."""
        return self.text.partition("Diagnostics:")[2].partition("Resources:")[0]

    def __contains__(self, text: str) -> bool:
        return text in self.text


@dataclass
class Deployment:
    """A copy of the project's entry files in its own folder, with its own backend; the fleet is shared."""

    folder: Path
    fleet: Fleet
    environment: dict[str, str]
    pulumi: Path
    config: dict[str, Any] = field(default_factory=dict)
    stack: str = STACK
    remembers: bool = False
    """Whether a successful update records the cluster, so that :func:`deploy` may leave out the next one."""
    _updated_to: tuple[dict[str, Any], dict[str, Any]] | None = None
    """The configuration and the cluster after the last command, if that was a successful update."""

    @property
    def pools(self) -> dict[str, Any]:
        pools: dict[str, Any] = self.config["pools"]
        return pools

    @property
    def layouts(self) -> dict[str, Any]:
        layouts: dict[str, Any] = self.config["layouts"]
        return layouts

    @property
    def cluster(self) -> Cluster:
        return Cluster({"kubeconfig": str(self.fleet.kubeconfig)})

    def run(self, *arguments: str) -> Outcome:
        """Write `config` to the stack file, then run Pulumi."""
        engine = self._start(*arguments)
        try:
            text, _ = engine.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            engine.kill()
            text, _ = engine.communicate()
            raise AssertionError(f"pulumi {arguments[0]} did not end within {TIMEOUT_S} s:\n{text}") from None
        if self.remembers and arguments[0] == "up" and engine.returncode == 0:
            self._updated_to = copy.deepcopy(self.config), observed_cluster(self.fleet)
        return Outcome(engine.returncode, text)

    def is_as_updated(self, config: dict[str, Any]) -> bool:
        """Whether the last update was to this configuration, and nothing has changed in the cluster since then."""
        if self._updated_to is None:
            return False
        updated_to, cluster = self._updated_to
        return config == updated_to and cluster == observed_cluster(self.fleet)

    def interrupt_up(self, when: Callable[[], bool], signals: Iterable[signal.Signals]) -> Outcome:
        """An update that gets signals, one second apart, as soon as `when` is true; its lock is removed afterwards."""
        engine = self._start("up", "--yes", "--skip-preview")
        deadline = time.monotonic() + TIMEOUT_S
        while not when():
            assert engine.poll() is None and time.monotonic() < deadline, "the update ended before it was interrupted"
            time.sleep(0.1)
        for number in signals:
            engine.send_signal(number)
            time.sleep(1)
        text, _ = engine.communicate(timeout=TIMEOUT_S)
        assert engine.returncode != 0, text
        self.run("cancel", "--yes")
        return Outcome(engine.returncode, text)

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        if arguments[0] not in READS:
            self._updated_to = None
        self.write_program()
        flags = ("--non-interactive", "--color", "never")
        return subprocess.Popen(
            [self.pulumi, *arguments, "--stack", self.stack, *flags],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def write_program(self) -> None:
        """Write `config` where the program reads it: to the stack file."""
        stack_file = self.folder / "stacks" / f"Pulumi.{self.stack}.yaml"
        before = yaml.safe_load(stack_file.read_text()) if stack_file.exists() else {}
        document = {**before, "config": {f"mig-fleet:{key}": value for key, value in self.config.items()}}
        stack_file.write_text(yaml.safe_dump(document))

    def up(self, *flags: str) -> Outcome:
        return self.run("up", "--yes", "--skip-preview", *flags)

    def old_configs(self) -> set[str]:
        """The configs of earlier layouts in MIG Manager's file, which the next update removes."""
        file = self.cluster.config_map("gpu-operator", labels.LAYOUTS_CONFIG_MAP) or {}
        configs: set[str] = yaml.safe_load(file["data"][labels.LAYOUTS_KEY])["mig-configs"].keys()
        declared = {layout.config_name for layout in fleets.parse(self.config, self.stack).layouts.values()}
        return configs - declared - {labels.ALL_DISABLED}

    def prune(self) -> None:
        """Update once more if MIG Manager's file has configs of earlier layouts."""
        if self.old_configs():
            pruned = self.up()
            assert pruned.status == 0, pruned.text

    def preview(self, *flags: str) -> Outcome:
        return self.run("preview", *flags)

    def wait_for_preview(self, text: str, *flags: str) -> Outcome:
        """Preview until a preview has the text, because the probes report with a delay."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            outcome = self.preview(*flags)
            if text in outcome or time.monotonic() > deadline:
                assert text in outcome, outcome.text
                return outcome

    def destroy(self) -> Outcome:
        return self.run("destroy", "--yes", "--skip-preview")

    def outputs(self) -> dict[str, Any]:
        outcome = self.run("stack", "output", "--json")
        found: dict[str, Any] = json.loads(outcome.text)
        return found

    def slices(self) -> dict[str, dict[str, str]]:
        """Node → GPU indices → slices, as the last update verified them."""
        pools = self.outputs()["slices"].values()
        return {node: parse_gpus(text) for nodes in pools for node, text in nodes.items()}

    def slices_in_state(self, node: str) -> dict[str, str]:
        """GPU indices → slices of one node, as the state of its verification has them."""
        exported = json.loads(self.run("stack", "export").text)["deployment"]["resources"]
        outputs = [by_node(each["outputs"]) for each in exported if "Verification" in each["type"]]
        (text,) = (texts[node] for texts in outputs if node in texts)
        return parse_gpus(text)

    def reported_slices(self, node: str) -> dict[str, str]:
        """GPU indices → slices of one node, from its probe's report as it is now."""
        report = read_reports(self.cluster, REPORTS)[node].report
        assert report is not None, f"the report of {node} cannot be read"
        return parse_gpus(format_gpus(report.per_gpu()))

    def wait_for_report(self, node: str, slices: dict[str, str]) -> None:
        """Return when the probe of a node reports these slices: GPU indices → slices."""
        wait_until(lambda: self.reported_slices(node) == slices, f"{node} reports {slices}")

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The Node objects by name."""
        return {node["metadata"]["name"]: node for node in self.cluster.get("/api/v1/nodes")["items"]}

    def attempts(self) -> dict[str, str | None]:
        """Node → the number of our writes of config and state."""
        return {n: node["metadata"].get("annotations", {}).get(labels.ATTEMPT) for n, node in self.nodes().items()}

    def known_configs(self) -> set[str]:
        """The configs that the rules of Prometheus know, as the ConfigMap in the cluster has them."""
        config_map = self.cluster.config_map("gpu-operator", labels.ALERT_RULES) or {}
        groups = yaml.safe_load("".join(config_map["data"].values()))["groups"]
        declared = [rule["expr"] for group in groups for rule in group["rules"] if rule.get("record") == DECLARED]
        return {config for expr in declared for config in re.findall('config="([^"]+)"', expr)}

    def config_and_state(self) -> dict[str, tuple[str | None, str | None]]:
        """Node → its config label and its state label."""
        return {
            name: (node["metadata"]["labels"].get(labels.CONFIG), node["metadata"]["labels"].get(labels.STATE))
            for name, node in self.nodes().items()
        }


def create_project(folder: Path, fleet: Fleet, config: dict[str, Any], stack: str = STACK) -> Deployment:
    """A stack in a new project with a backend of its own, not yet deployed."""
    deployment = copy_project(folder, fleet, stack)
    deployment.config = config
    created = deployment.run("stack", "init", "--secrets-provider", "passphrase")
    assert created.status == 0, created.text
    return deployment


def copy_project(folder: Path, fleet: Fleet, stack: str) -> Deployment:
    """A new project with a backend of its own, and without a stack."""
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "stacks").mkdir()
    (folder / "state").mkdir()
    environment, pulumi = engine(folder)
    (folder / ".venv").symlink_to(forked_python())
    return Deployment(folder, fleet, environment, pulumi, stack=stack)


def engine(folder: Path) -> tuple[dict[str, str], Path]:
    """The environment of the engine's commands for a project, with the backend in its folder `state`; and the engine.
    Its Python processes are forks of one that has imported the libraries.

    Its home has no folder for logs: the engine would write some megabytes there in each command, for as much processor
    time as the program takes (pulumi v3.259.0, pkg/logging/encrypted.go).
    """
    workspace, home = toolchain.workspace(ROOT), folder / "pulumi-home"
    home.mkdir()
    (home / "plugins").symlink_to(workspace.pulumi_home / "plugins")
    (home / "logs").touch()
    settings = {"PULUMI_HOME": str(home), "PULUMI_BACKEND_URL": (folder / "state").as_uri()}
    settings["MIG_FLEET_PYTHON"] = str(forked_python() / "bin" / "python")
    return {**workspace.environment(), **settings}, workspace.pulumi


def deploy(project: Deployment, config: dict[str, Any]) -> Deployment:
    """Clear all faults of the nodes, then update to this configuration, unless nothing can change; fails if the update
    does.
    """
    for node in project.fleet.node_names():
        project.fleet.clear_faults(node)
    project.config = config
    if project.is_as_updated(config) and not project.old_configs():
        return project
    outcome = project.up()
    assert outcome.status == 0, outcome.text
    return project


def baseline(fleet: Fleet) -> dict[str, Any]:
    """The configuration of stack local, with this fleet's kubeconfig and the chart's full path."""
    document = yaml.safe_load((ROOT / "stacks" / "Pulumi.local.yaml").read_text())
    config = {key.removeprefix("mig-fleet:"): copy.deepcopy(value) for key, value in document["config"].items()}
    config["cluster"] = {"kubeconfig": str(fleet.kubeconfig)}
    config["operator"]["chart"] = str(ROOT / config["operator"]["chart"])
    for pool in config["pools"].values():
        pool["rollout"] = {"timeout": "5m"}  # more than a busy machine needs
    return config
