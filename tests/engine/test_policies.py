"""The policy pack in the engine, with programs that bypass the checks of our components."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.engine.deployment import Deployment
from tests.forked_python import forked_python

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]

PROGRAM = """
from mig_fleet.components.verification import Verification

Verification("by-hand", {{
    "cluster": {{"kubeconfig": "{kubeconfig}"}},
    "namespace": "gpu-operator",
    "reportsNamespace": "mig-fleet",
    "wave": "by-hand",
    "nodes": ["gpu-node-1"],
    "expected": {{
        "config": "by-hand",
        "gpu": "H100-80GB",
        "gpus": [{gpu}] * 8,
        "allocatable": {{}},
        "labels": {{}},
        "strategy": "mixed",
    }},
}})
"""


def pack(tmp_path: Path, config: dict[str, Any], folder: str = "policy") -> list[str]:
    """The arguments of a preview with a pack and a configuration."""
    (tmp_path / "policies.json").write_text(json.dumps(config))
    return ["--policy-pack", str(ROOT / folder), "--policy-pack-config", str(tmp_path / "policies.json")]


def preview(
    project: Deployment, tmp_path: Path, gpu: str, config: dict[str, Any] | None = None, folder: str = "policy"
) -> tuple[int, str]:
    """Exit status and text of a preview, with the pack, of a program that registers one wave itself."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path / "Pulumi.yaml")
    (tmp_path / ".venv").symlink_to(forked_python())
    (tmp_path / "stacks").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "__main__.py").write_text(PROGRAM.format(kubeconfig=project.fleet.kubeconfig, gpu=gpu))
    environment = {**project.environment, "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"}
    by_hand = Deployment(tmp_path, project.fleet, environment, project.pulumi, {"layouts": {}, "pools": {}})
    by_hand.run("stack", "init", "--secrets-provider", "passphrase")
    outcome = by_hand.preview(*pack(tmp_path, config or {}, folder))
    return outcome.status, outcome.text


@pytest.mark.parametrize("folder", ["policy", "examples/policies"], ids=["our pack", "a user's own pack"])
def test_a_layout_that_does_not_fit_its_pool_is_denied(folder: str, project: Deployment, tmp_path: Path) -> None:
    status, text = preview(project, tmp_path, '{"3g.40gb": 2, "1g.10gb": 1}', folder=folder)
    assert status != 0, text
    assert "mig-layout-fits-gpu" in text
    assert "Pool 'by-hand' must use a layout that fits an H100-80GB" in text


def test_a_layout_that_fits_passes_every_policy(project: Deployment, tmp_path: Path) -> None:
    status, text = preview(project, tmp_path, '{"3g.40gb": 2}')
    assert status == 0, text
    assert "mandatory" not in text


def test_a_configuration_of_the_wrong_type_is_refused_with_its_place(project: Deployment, tmp_path: Path) -> None:
    config = {"mig-canary-required": {"fromNodes": "many"}, "mig-profiles-approved": {"profiles": ["big"]}}
    status, text = preview(project, tmp_path, '{"3g.40gb": 2}', config)
    assert status != 0, text
    assert "mig-canary-required: fromNodes: Invalid type. Expected: integer, given: string" in text
    assert "mig-profiles-approved: profiles.0: Does not match pattern" in text


def test_a_change_is_denied_by_what_it_changes_and_costs(deployed: Deployment, tmp_path: Path) -> None:
    """And by nothing else: every policy runs, although the preview of a change has values that are not known."""
    deployed.pools["inference"]["layout"] = "all-2g.20gb"
    config = {
        "mig-blast-radius-limited": {"nodes": 0, "pods": 0},
        "mig-budget-kept": {"perHourUsd": 66},
        "mig-change-freeze": {"weekly": ["Mon 00:00/Thu 00:00", "Thu 00:00/Mon 00:00"], "enforcementLevel": "advisory"},
        "mig-enough-whole-gpus": {"atLeast": 8},
        "mig-gpu-models-approved": {"models": ["H100-80GB", "A100-80GB"]},
        "mig-max-unavailable-limited": {"nodes": 1},
        "mig-no-whole-gpus": {"stacks": [deployed.stack], "enforcementLevel": "advisory"},
    }
    outcome = deployed.preview(*pack(tmp_path, config))
    assert outcome.status != 0, outcome.text
    assert "One update must change at most 0 nodes; this one changes 1: " in outcome
    assert "The stack must cost at most $66.00 per hour; its GPUs cost $66.40." in outcome
    assert "can't run policy" not in outcome
    found = {
        level: set(re.findall(rf"\[{level}\].*?(mig-[\w-]+)", outcome.text)) for level in ("mandatory", "advisory")
    }
    assert found == {
        "mandatory": {"mig-blast-radius-limited", "mig-budget-kept"},
        "advisory": {"mig-change-freeze", "mig-no-whole-gpus"},
    }
