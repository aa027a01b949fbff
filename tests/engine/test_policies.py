"""The policy pack in the engine, with programs that bypass the checks of our components."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

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


def preview(project: Deployment, tmp_path: Path, gpu: str) -> tuple[int, str]:
    """Exit status and text of a preview, with the pack, of a program that registers one wave itself."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path / "Pulumi.yaml")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "__main__.py").write_text(PROGRAM.format(kubeconfig=project.fleet.kubeconfig, gpu=gpu))
    environment = {**project.environment, "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"}
    config: dict[str, Any] = {"layouts": {}, "pools": {}}
    by_hand = Deployment(tmp_path, project.fleet, environment, project.pulumi, config)
    by_hand.run("stack", "init", "--secrets-provider", "passphrase")
    outcome = by_hand.preview("--policy-pack", str(ROOT / "policy"))
    return outcome.status, outcome.text


def test_a_layout_that_does_not_fit_its_pool_is_denied(project: Deployment, tmp_path: Path) -> None:
    status, text = preview(project, tmp_path, '{"3g.40gb": 2, "1g.10gb": 1}')
    assert status != 0, text
    assert "mig-layout-fits-gpu" in text
    assert "Pool 'by-hand' must use a layout that fits an H100-80GB" in text


def test_a_layout_that_fits_passes_every_policy(project: Deployment, tmp_path: Path) -> None:
    status, text = preview(project, tmp_path, '{"3g.40gb": 2}')
    assert status == 0, text
    assert "mandatory" not in text
