"""A stack on the simulated fleet, driven through the real engine as a user drives it."""

import copy
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from mig_fleet.model.wording import cuts_by_gpus, cuts_in_words
from mig_fleet.observed.reports import heard
from mig_fleet.simulator import Fleet

ROOT = Path(__file__).parents[2]
STACK = "test"
PATIENCE_S = 240
REPORTS = "mig-fleet"
"""The namespace of the probes' reports."""


@dataclass
class Outcome:
    """One run of the engine."""

    status: int
    text: str

    @property
    def diagnostics(self) -> str:
        """The section in which the engine says what went wrong, without the progress lines that say it too."""
        return self.text.partition("Diagnostics:")[2].partition("Resources:")[0]

    def __contains__(self, words: str) -> bool:
        return words in self.text


@dataclass
class Deployment:
    """A copy of the project's entry files in a folder of its own, with its own backend; the fleet is shared."""

    folder: Path
    fleet: Fleet
    environment: dict[str, str]
    pulumi: Path
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def pools(self) -> dict[str, Any]:
        pools: dict[str, Any] = self.config["pools"]
        return pools

    @property
    def layouts(self) -> dict[str, Any]:
        layouts: dict[str, Any] = self.config["layouts"]
        return layouts

    def run(self, *arguments: str) -> Outcome:
        """Write the stack file as `config` says now, then run Pulumi."""
        engine = self._start(*arguments)
        try:
            text, _ = engine.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            engine.kill()
            text, _ = engine.communicate()
            raise AssertionError(f"pulumi {arguments[0]} did not end within {PATIENCE_S} s:\n{text}") from None
        return Outcome(engine.returncode, text)

    def interrupted(self, when: Callable[[], bool], signals: Iterable[signal.Signals]) -> Outcome:
        """An update that is sent signals, a second apart, as soon as `when` is true; its lock is taken off after it."""
        engine = self._start("up", "--yes", "--skip-preview")
        deadline = time.monotonic() + PATIENCE_S
        while not when():
            assert engine.poll() is None and time.monotonic() < deadline, "the update ended before it could be stopped"
            time.sleep(0.1)
        for number in signals:
            engine.send_signal(number)
            time.sleep(1)
        text, _ = engine.communicate(timeout=PATIENCE_S)
        assert engine.returncode != 0, text
        self.run("cancel", "--yes")
        return Outcome(engine.returncode, text)

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        stack_file = self.folder / "stacks" / f"Pulumi.{STACK}.yaml"
        kept = yaml.safe_load(stack_file.read_text()) if stack_file.exists() else {}
        document = {**kept, "config": {f"mig-fleet:{key}": value for key, value in self.config.items()}}
        stack_file.write_text(yaml.safe_dump(document))
        flags = ("--non-interactive", "--color", "never")
        return subprocess.Popen(
            [self.pulumi, *arguments, "--stack", STACK, *flags],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def up(self) -> Outcome:
        return self.run("up", "--yes", "--skip-preview")

    def preview(self, *flags: str) -> Outcome:
        return self.run("preview", *flags)

    def eventually_in_preview(self, words: str, *flags: str) -> Outcome:
        """Preview until the probes have reported what happened; fails with the last preview's text."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            outcome = self.preview(*flags)
            if words in outcome or time.monotonic() > deadline:
                assert words in outcome, outcome.text
                return outcome

    def destroy(self) -> Outcome:
        return self.run("destroy", "--yes", "--skip-preview")

    def outputs(self) -> dict[str, Any]:
        outcome = self.run("stack", "output", "--json")
        found: dict[str, Any] = json.loads(outcome.text)
        return found

    def realized(self) -> dict[str, dict[str, str]]:
        """Node → GPU indices → slices, as the last update read them back."""
        pools = self.outputs()["realized"].values()
        return {node: cuts_by_gpus(text) for nodes in pools for node, text in nodes.items()}

    def recorded(self, node: str) -> dict[str, str]:
        """GPU indices → slices of one node, as the state of its verification has them."""
        exported = json.loads(self.run("stack", "export").text)["deployment"]["resources"]
        counted = [each["outputs"]["counted"] for each in exported if "Verification" in each["type"]]
        (text,) = (texts[node] for texts in counted if node in texts)
        return cuts_by_gpus(text)

    def realized_on(self, node: str) -> dict[str, str]:
        """GPU indices → slices of one node, from its probe's report as it is now."""
        report = heard(Cluster({"kubeconfig": str(self.fleet.kubeconfig)}), REPORTS)[node].report
        return cuts_by_gpus(cuts_in_words(report.cuts()))

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The nodes as the API server has them."""
        return Cluster({"kubeconfig": str(self.fleet.kubeconfig)}).nodes()

    def attempts(self) -> dict[str, str | None]:
        """How often we wrote a config to each node."""
        return {n: node["metadata"].get("annotations", {}).get(labels.ATTEMPT) for n, node in self.nodes().items()}

    def carried(self) -> dict[str, tuple[str | None, str | None]]:
        """Node → its config label and its state label."""
        return {
            name: (node["metadata"]["labels"].get(labels.CONFIG), node["metadata"]["labels"].get(labels.STATE))
            for name, node in self.nodes().items()
        }


def as_declared(project: Deployment, config: dict[str, Any]) -> Deployment:
    """Healthy nodes, and an update to this configuration that succeeds."""
    for node in project.fleet.node_names():
        project.fleet.heal(node)
    project.config = config
    outcome = project.up()
    assert outcome.status == 0, outcome.text
    return project


def baseline(fleet: Fleet) -> dict[str, Any]:
    """The local stack, with this fleet's kubeconfig and the chart by its full path."""
    document = yaml.safe_load((ROOT / "stacks" / "Pulumi.local.yaml").read_text())
    config = {key.removeprefix("mig-fleet:"): copy.deepcopy(value) for key, value in document["config"].items()}
    config["cluster"] = {"kubeconfig": str(fleet.kubeconfig)}
    config["operator"]["chart"] = str(ROOT / config["operator"]["chart"])
    for pool in config["pools"].values():
        pool["rollout"] = {"timeout": "60s"}
    return config
