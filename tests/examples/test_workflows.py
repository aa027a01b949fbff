"""The pipelines of the examples: least rights, no secret in a fork's run, and scripts that exist."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.examples.runner import GITHUB, GITLAB, ROOT

WORKFLOWS = sorted((GITHUB / ".github" / "workflows").glob("*.yml"))
OUR_OWN = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = sorted({path.resolve() for folder in (GITHUB, GITLAB) for path in (folder / "ci").glob("*.sh")})
PIPELINE = GITLAB / ".gitlab-ci.yml"
OWN_BRANCH = "github.event.pull_request.head.repo.full_name == github.repository"
OWN_PROJECT = "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID"
MERGE_REQUEST = '$CI_PIPELINE_SOURCE == "merge_request_event"'
SECTIONS = {"workflow", "stages", "default", "variables"}

Job = dict[str, Any]


def workflow(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def jobs(name: str) -> dict[str, Job]:
    found: dict[str, Job] = workflow(GITHUB / ".github" / "workflows" / name)["jobs"]
    return found


def tool(name: str, *arguments: str) -> None:
    command = [str(Path(sys.executable).parent / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing_in_any_workflow() -> None:
    tool("zizmor", "--offline", "--no-progress", *map(str, (*WORKFLOWS, *OUR_OWN)))


def test_shellcheck_finds_nothing_in_any_script() -> None:
    assert SCRIPTS
    tool("shellcheck", *map(str, SCRIPTS))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_ends_with_its_first_error(path: Path) -> None:
    assert os.access(path, os.X_OK)
    text = path.read_text()
    assert text.startswith("#!/usr/bin/env bash\n#"), "the first line of a script is followed by what it does"
    assert "\nset -euo pipefail\n" in text


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_right_and_each_job_names_its_own(path: Path) -> None:
    found = workflow(path)
    assert found["permissions"] == {}
    assert "pull_request_target" not in path.read_text(), "it would run for forks with secrets"
    assert "concurrency" in found
    for name, job in found["jobs"].items():
        assert "permissions" in job and "timeout-minutes" in job, name


def test_only_jobs_that_run_no_program_with_secrets_may_write() -> None:
    rights = {f"{path.stem}/{name}": job["permissions"] for path in WORKFLOWS for name, job in jobs(path.name).items()}
    assert rights == {
        "preview/check": {"contents": "read"},
        "preview/preview": {"contents": "read"},
        "preview/comment": {"contents": "read", "pull-requests": "write"},
        "update/update": {"contents": "read", "actions": "read", "pull-requests": "read"},
        "drift/preview": {"contents": "read"},
        "drift/issue": {"contents": "read", "issues": "write"},
    }
    for path in WORKFLOWS:
        for name, job in jobs(path.name).items():
            if "write" in job["permissions"].values():
                assert "secrets." not in str(job) and "environment" not in job, name


def test_a_fork_gets_no_secret_and_none_of_its_code_runs_where_it_may_write() -> None:
    found = jobs("preview.yml")
    for name, job in found.items():
        if "secrets." in str(job) or "environment" in job:
            assert job["if"] == OWN_BRANCH, name
    assert found["comment"]["needs"] == "preview", "it is skipped with the preview, which is skipped for a fork"
    assert "needs.preview.outputs.review" in found["comment"]["if"]
    for name in ("check", "comment"):
        first = next(step for step in found[name]["steps"] if "checkout" in step.get("uses", ""))
        assert first["with"]["ref"] == "${{ github.event.pull_request.base.sha }}", f"{name} runs the base branch"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_step_sees_both_a_token_and_a_secret(path: Path) -> None:
    for job in workflow(path)["jobs"].values():
        for step in job["steps"]:
            assert not ("github.token" in str(step) and "secrets." in str(step))
            assert "checkout" not in step.get("uses", "") or step["with"]["persist-credentials"] is False


def test_two_updates_never_run_at_once() -> None:
    found = workflow(GITHUB / ".github" / "workflows" / "update.yml")
    assert found["concurrency"] == {"group": "mig-fleet-update", "cancel-in-progress": False}
    assert pipeline()["update"]["resource_group"]


def pipeline() -> dict[str, Job]:
    found: dict[str, Job] = yaml.safe_load(PIPELINE.read_text())
    return found


def test_a_job_of_gitlab_with_secrets_does_not_run_for_a_fork() -> None:
    for name, job in pipeline().items():
        if name not in SECTIONS and not name.startswith(".") and "environment" in job:
            conditions = [rule["if"] for rule in job["rules"]]
            assert conditions and all(OWN_PROJECT in each for each in conditions if MERGE_REQUEST in each), name
    assert "environment" not in pipeline()["check"], "the variables with secrets belong to environments"
    assert "environment" not in pipeline()["default"]


@pytest.mark.parametrize("folder", [GITHUB, GITLAB], ids=["github-actions", "gitlab"])
def test_every_script_that_a_pipeline_runs_is_there(folder: Path) -> None:
    pipelines = WORKFLOWS if folder == GITHUB else [PIPELINE]
    called = set(re.findall(r"\bci/([\w-]+\.(?:sh|py))", "".join(path.read_text() for path in pipelines)))
    there = {path.name for path in (folder / "ci").iterdir() if path.is_file()}
    assert called and called <= there
    helpers = {"preview.sh"}
    assert there - called <= helpers, "a script that nothing calls"
