"""The scripts of the GitHub Actions example that talk to GitHub."""

import base64
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.review.markdown import MARKER as BEGINNING
from tests.examples.runner import GITHUB, GITLAB, GitHub

MARKER = f"{BEGINNING}: fleet/prod -->"
HEAD = "a" * 40
MERGE = "b" * 40


def review(folder: Path, text: str) -> str:
    path = folder / "review.md"
    path.write_text(f"{MARKER}\n{text}\n")
    return str(path)


@pytest.mark.parametrize(
    "script", [GITHUB / "ci" / "comment.sh", GITLAB / "ci" / "note.py"], ids=lambda path: path.name
)
def test_a_script_searches_the_marker_that_a_review_has(script: Path) -> None:
    assert f'"{BEGINNING}"' in script.read_text()


def test_the_first_review_is_a_new_comment_and_later_ones_update_it(github: GitHub, tmp_path: Path) -> None:
    for text in ("changes 1 node", "changes 2 nodes"):
        done = github.run("comment.sh", "7", review(tmp_path, text))
        assert done.returncode == 0, done.stderr
    (comment,) = github.state["comments"]
    assert comment["body"] == f"{MARKER}\nchanges 2 nodes\n"
    assert [call for call in github.state["calls"] if not call.startswith("GET")] == [
        "POST repos/org/fleet/issues/7/comments",
        "PATCH repos/org/fleet/issues/comments/1",
    ]


def test_a_person_s_comment_that_quotes_a_review_is_not_updated(github: GitHub, tmp_path: Path) -> None:
    quoted = {"id": 1, "user": {"login": "a-person", "type": "User"}, "body": f"> {MARKER}"}
    github.state = {**github.state, "comments": [quoted]}
    assert github.run("comment.sh", "7", review(tmp_path, "new")).returncode == 0
    assert github.state["comments"][0] == quoted
    assert len(github.state["comments"]) == 2


def test_a_comment_that_github_refuses_fails_the_job(github: GitHub, tmp_path: Path) -> None:
    done = github.run("comment.sh", "7", review(tmp_path, "x" * 65_536))
    assert done.returncode != 0 and "too long" in done.stderr


def test_drift_has_one_issue_that_is_opened_updated_and_closed(github: GitHub, tmp_path: Path) -> None:
    def issues(found: str, text: str) -> list[tuple[str, str]]:
        done = github.run("drift-issue.sh", found, review(tmp_path, text))
        assert done.returncode == 0, done.stderr
        return [(each["state"], each["body"].splitlines()[-1]) for each in github.state["issues"]]

    assert issues("none", "nothing to do") == []
    assert issues("drift", "gpu-node-1") == [("open", "gpu-node-1")]
    assert issues("drift", "gpu-node-2") == [("open", "gpu-node-2")]
    assert issues("none", "nothing to do") == [("closed", "gpu-node-2")]
    assert issues("drift", "gpu-node-3") == [("closed", "gpu-node-2"), ("open", "gpu-node-3")]
    assert {tuple(each["labels"]) for each in github.state["issues"]} == {("mig-fleet-drift",)}


def test_a_pull_request_with_the_label_is_not_the_issue(github: GitHub, tmp_path: Path) -> None:
    labelled = {"number": 1, "state": "open", "labels": ["mig-fleet-drift"], "pull_request": {}, "body": "mine"}
    github.state = {**github.state, "issues": [labelled]}
    assert github.run("drift-issue.sh", "drift", review(tmp_path, "gpu-node-1")).returncode == 0
    assert [each["number"] for each in github.state["issues"]] == [1, 2]
    assert github.state["issues"][0] == labelled


def artifact(number: int, plan: str, **changes: Any) -> dict[str, Any]:
    """An artifact with the plan of stack `prod`, uploaded by a run of this repository's own branch."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("prod.json", plan)
    return {
        "id": number,
        "name": f"mig-fleet-plans-{HEAD}",
        "expired": False,
        "created_at": f"2026-01-0{number}T00:00:00Z",
        "workflow_run": {"repository_id": 1, "head_repository_id": 1},
        "zip": base64.b64encode(archive.getvalue()).decode(),
        **changes,
    }


def merged(github: GitHub, *artifacts: dict[str, Any]) -> None:
    """The pull request with head HEAD was merged as MERGE; another one that has the commit is still open."""
    pulls = [{"merged_at": None, "head": {"sha": "c" * 40}}, {"merged_at": "2026-01-05", "head": {"sha": HEAD}}]
    github.state = {**github.state, "pulls": {MERGE: pulls}, "artifacts": list(artifacts)}


def test_the_plans_are_the_newest_ones_of_the_merged_pull_request(github: GitHub, tmp_path: Path) -> None:
    merged(github, artifact(1, "old"), artifact(3, "newest"), artifact(2, "older"), artifact(4, "", expired=True))
    done = github.run("find-plans.sh", MERGE, "plans")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "plans" / "prod.json").read_text() == "newest"


FORK = {"workflow_run": {"repository_id": 1, "head_repository_id": 2}}


@pytest.mark.parametrize(
    "found",
    [[], [artifact(1, "", expired=True)], [artifact(1, "", **FORK)]],
    ids=["none", "expired", "of a fork"],
)
def test_without_plans_nothing_is_downloaded_and_the_job_fails_with_the_remedy(
    github: GitHub, tmp_path: Path, found: list[dict[str, Any]]
) -> None:
    merged(github, *found)
    done = github.run("find-plans.sh", MERGE, "plans")
    assert done.returncode == 1
    assert f"No plans of commit {HEAD}" in done.stderr and "Run the preview of its pull request again" in done.stderr
    assert not (tmp_path / "plans").exists()


def test_a_commit_without_a_pull_request_is_refused(github: GitHub) -> None:
    done = github.run("find-plans.sh", MERGE, "plans")
    assert done.returncode == 1 and "nothing was previewed" in done.stderr
