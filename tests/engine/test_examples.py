"""The steps of the examples' pipelines with the real engine: review, comment, update with the plan, drift check."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.engine.deployment import ROOT, Deployment
from tests.examples.runner import GitHub

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

SECRET = "s3cr3tMARKER"
LONGEST_BODY = 65_536
"""Characters of a comment on GitHub."""
SMALLER = {"gpu": "H100-80GB", "all": {"2g.20gb": 3}}


class Pipeline:
    """The scripts in the project of a stack, as in a job's checkout."""

    def __init__(self, deployed: Deployment, folder: Path) -> None:
        path = os.pathsep.join((str(ROOT / ".venv" / "bin"), deployed.environment["PATH"]))
        environment = {**deployed.environment, "PATH": path, "STACKS": deployed.stack}
        self.deployed, self.github = deployed, GitHub(folder, deployed.folder, environment)
        self.review, self.plans = folder / "review", folder / "review" / "plans"
        pack = deployed.folder / "policy"
        if not pack.exists():
            pack.symlink_to(ROOT / "policy")

    def run(self, script: str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
        self.deployed.run("stack")  # writes the stack file
        return self.github.run(script, *map(str, arguments))

    def check_drift(self) -> str:
        done = self.run("drift.sh", self.review)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def preview(self) -> str:
        """The text of the review of a preview that succeeds."""
        done = self.run("preview.sh", self.review)
        assert done.returncode == 0, done.stderr
        return (self.review / "review.md").read_text()


def test_a_secret_of_the_stack_is_in_no_file_of_a_preview(deployed: Deployment, tmp_path: Path) -> None:
    pipeline = Pipeline(deployed, tmp_path)
    chosen = deployed.run("config", "set", "--secret", "--path", "mig-fleet:operator.values.unused", SECRET)
    assert chosen.status == 0, chosen.text
    document = yaml.safe_load((deployed.folder / "stacks" / f"Pulumi.{deployed.stack}.yaml").read_text())
    deployed.config = {key.removeprefix("mig-fleet:"): value for key, value in document["config"].items()}
    pipeline.preview()
    written = [path for path in pipeline.review.rglob("*") if path.is_file()]
    assert len(written) == 5, "review.md, review.html, the plan, the preview and its events"
    assert [path.name for path in written if SECRET in path.read_text()] == []


def test_a_reviewed_change_is_applied_with_its_plan_and_what_the_review_did_not_show_is_refused(
    deployed: Deployment, tmp_path: Path
) -> None:
    deployed.prune()
    pipeline = Pipeline(deployed, tmp_path)
    assert pipeline.check_drift() == "found=none"
    deployed.layouts["inference-dense"] = SMALLER
    review = pipeline.preview()
    assert "gpu-node-1" in review and "gpu-node-2" not in review
    assert "gpu-node-1" in (pipeline.review / "review.html").read_text()
    commented = pipeline.run("comment.sh", "7", pipeline.review / "review.md")
    assert commented.returncode == 0, commented.stderr
    (comment,) = pipeline.github.state["comments"]
    assert comment["body"] == review and len(review) <= LONGEST_BODY
    updated = pipeline.run("update.sh", pipeline.plans)
    assert updated.returncode == 0, updated.stdout + updated.stderr
    assert deployed.slices()["gpu-node-1"] == {"0-7": "3x 2g.20gb"}
    assert pipeline.check_drift() == "found=none", "the update also removed the old layout from MIG Manager's file"

    deployed.layouts["mixed-strategy"] = SMALLER
    assert "gpu-node-1" not in pipeline.preview()
    deployed.fleet.destroy_slice("gpu-node-1", gpu=0, start=2)
    deployed.wait_for_report("gpu-node-1", {"0": "2x 2g.20gb", "1-7": "3x 2g.20gb"})
    drift = "slice missing: gpu-node-1: GPU 0"
    refused = pipeline.run("update.sh", pipeline.plans)
    assert refused.returncode != 0
    assert "violates plan" in refused.stdout and drift in refused.stdout, refused.stdout
    assert deployed.reported_slices("gpu-node-1")["0"] == "2x 2g.20gb", "nothing was repaired that was not reviewed"
    assert pipeline.check_drift() == "found=drift"
    opened = pipeline.run("drift-issue.sh", "drift", pipeline.review / "review.md")
    assert opened.returncode == 0, opened.stderr
    (issue,) = pipeline.github.state["issues"]
    assert drift in issue["body"]
