"""A stack on the simulated fleet, driven through the real engine as a user drives it."""

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from components.cluster import Cluster
from components.comparison import cut
from mig import labels
from mig.pictures import indices_text
from simulator import Fleet

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
        stack_file = self.folder / "stacks" / f"Pulumi.{STACK}.yaml"
        kept = yaml.safe_load(stack_file.read_text()) if stack_file.exists() else {}
        document = {**kept, "config": {f"mig-fleet:{key}": value for key, value in self.config.items()}}
        stack_file.write_text(yaml.safe_dump(document))
        done = subprocess.run(
            [self.pulumi, *arguments, "--stack", STACK, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Outcome(done.returncode, done.stdout)

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
        return {node: gpus for nodes in self.outputs()["realized"].values() for node, gpus in nodes.items()}

    def realized_on(self, node: str) -> dict[str, str]:
        """GPU indices → slices of one node, from its probe's report as it is now."""
        report = Cluster({"kubeconfig": str(self.fleet.kubeconfig)}).reports(REPORTS)[node]
        groups: dict[str, list[int]] = {}
        for index, profiles in enumerate(report.counts()):
            groups.setdefault(cut(profiles), []).append(index)
        return {indices_text(indices): text for text, indices in groups.items()}

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The nodes as the API server has them."""
        return Cluster({"kubeconfig": str(self.fleet.kubeconfig)}).nodes()

    def carried(self) -> dict[str, tuple[str | None, str | None]]:
        """Node → its config label and its state label."""
        return {
            name: (node["metadata"]["labels"].get(labels.CONFIG), node["metadata"]["labels"].get(labels.STATE))
            for name, node in self.nodes().items()
        }
