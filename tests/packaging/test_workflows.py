"""The workflows of continuous integration: least rights, pinned actions, and only targets that the Makefile has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXAMPLES = sorted((ROOT / "examples" / "github-actions" / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


@pytest.mark.parametrize("path", [*WORKFLOWS, *EXAMPLES], ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit_with_its_version_beside_it(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text())
    assert used, "a workflow without actions does not even check out"
    assert [action for action in used if not PINNED.fullmatch(action)] == []


def test_the_pinned_actions_are_kept_current() -> None:
    updates = document(ROOT / ".github" / "dependabot.yml")["updates"]
    (actions,) = (each["directories"] for each in updates if each["package-ecosystem"] == "github-actions")
    assert actions == ["/", f"/{EXAMPLES[0].parent.relative_to(ROOT)}"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_only_and_a_job_says_what_more_it_needs(path: Path) -> None:
    workflow = document(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    granted = {right for job in workflow["jobs"].values() for right in job.get("permissions", ())}
    assert granted <= {"attestations", "id-token"}
    assert [name for name, job in workflow["jobs"].items() if "timeout-minutes" not in job] == []


def test_every_target_that_is_run_is_in_the_makefile() -> None:
    scripts = "\n".join(path.read_text() for path in (*WORKFLOWS, ROOT / ".ci" / "run"))
    targets = set(re.findall(r"^(?:\s*- run: )?make ([a-z-]+)", scripts, re.MULTILINE))
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"check", "test", "test-fast", "release-check", "setup"} <= targets
    assert targets - known == set()


def test_every_supported_python_is_tested() -> None:
    (workflow,) = (document(path) for path in WORKFLOWS if path.name == "ci.yml")
    classifiers = re.findall(r'Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert workflow["jobs"]["python"]["strategy"]["matrix"]["python"] == classifiers
