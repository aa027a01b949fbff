"""`mig-fleet plan --against`: what changes from a git revision, another stack or another file."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mig_fleet.cli.__main__ import main

TEXT = """
config:
  mig-fleet:cluster: {{context: c}}
  mig-fleet:layouts: {{dense: {{gpu: H100-80GB, all: {profiles}}}}}
  mig-fleet:pools: {{serving: {{gpu: H100-80GB, gpusPerNode: 2, nodes: [n1, n2], layout: dense}}}}
  mig-fleet:prices: {{H100-80GB: 2.5}}
"""
SEVENTHS, HALVES = TEXT.format(profiles="{1g.10gb: 7}"), TEXT.format(profiles="{3g.40gb: 2}")
LINES = """\
What changes from {against} to stacks/Pulumi.prod.yaml:

Layouts:
  dense: H100-80GB: each GPU 7x 1g.10gb → H100-80GB: each GPU 2x 3g.40gb

Nodes:
  n1, n2: pool serving, GPU 0-1: 7x 1g.10gb → 2x 3g.40gb

Capacity:
  nvidia.com/mig-1g.10gb: 28 → 0 (-28)
  nvidia.com/mig-3g.40gb: 0 → 8 (+8)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose branch `main` has another stack `prod` than the folder; `old` is another stack."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stacks").mkdir()
    write("prod", SEVENTHS)
    git("init", "--quiet", "--initial-branch", "main")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "first")
    write("prod", HALVES)
    write("old", SEVENTHS)
    return tmp_path


def write(stack: str, text: str) -> None:
    Path("stacks", f"Pulumi.{stack}.yaml").write_text(text)


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)


@pytest.fixture
def plan(project: Path) -> Callable[..., Result]:
    assert project.is_dir()
    return lambda *words: CliRunner().invoke(main, ["plan", "--stack", "prod", *words], prog_name="mig-fleet")


@pytest.mark.parametrize(
    ("against", "source"),
    [
        ("main", "main:stacks/Pulumi.prod.yaml"),
        ("HEAD", "HEAD:stacks/Pulumi.prod.yaml"),
        ("old", "stacks/Pulumi.old.yaml"),
        ("stacks/Pulumi.old.yaml", "stacks/Pulumi.old.yaml"),
    ],
    ids=["branch", "revision", "stack", "file"],
)
def test_each_kind_of_source_is_compared_in_words(plan: Callable[..., Result], against: str, source: str) -> None:
    result = plan("--against", against)
    assert result.exit_code == 0, result.output
    assert result.output == LINES.format(against=source)


def test_json_has_the_same_differences(plan: Callable[..., Result]) -> None:
    found = json.loads(plan("--against", "main", "--json").output)
    assert (found["against"], found["different"]) == ("main:stacks/Pulumi.prod.yaml", True)
    assert found["changes"]["capacity"]["nvidia.com/mig-3g.40gb"] == {"before": None, "after": 8}
    (nodes,) = found["changes"]["nodes"]
    assert (nodes["nodes"], nodes["after"]["gpus"]) == (["n1", "n2"], "GPU 0-1: 2x 3g.40gb")


def test_if_nothing_differs_it_is_one_sentence_and_the_exit_status_is_0(plan: Callable[..., Result]) -> None:
    write("prod", SEVENTHS + "# a comment\n")
    result = plan("--against", "main")
    assert result.exit_code == 0
    assert result.output == "Nothing differs between main:stacks/Pulumi.prod.yaml and stacks/Pulumi.prod.yaml.\n"
    assert json.loads(plan("--against", "main", "--json").output)["different"] is False


def test_a_stack_comes_before_a_revision_of_the_same_name(plan: Callable[..., Result]) -> None:
    git("branch", "old")
    write("old", HALVES)
    assert plan("--against", "old").output.startswith("Nothing differs between stacks/Pulumi.old.yaml")
    assert plan("--against", "refs/heads/old").output.startswith("What changes from refs/heads/old:stacks/")


def test_a_revision_is_read_from_any_folder_of_the_repository(plan: Callable[..., Result], project: Path) -> None:
    result = CliRunner().invoke(main, ["plan", "--file", str(project / "stacks/Pulumi.prod.yaml"), "--against", "main"])
    assert "7x 1g.10gb → 2x 3g.40gb" in result.output


@pytest.mark.parametrize("name", ["nosuch", "--help^", "-x", "main:stacks", "a" * 5000, "a b\n"])
def test_an_unknown_source_is_a_usage_error_with_the_existing_stacks(plan: Callable[..., Result], name: str) -> None:
    result = plan(f"--against={name}")
    assert result.exit_code == 2
    assert "no file, stack or git revision has this name; stacks here: old, prod" in result.output


def test_a_revision_without_the_stack_file_is_a_usage_error(plan: Callable[..., Result]) -> None:
    result = CliRunner().invoke(main, ["plan", "--stack", "old", "--against", "main"])
    assert result.exit_code == 2
    assert "the revision has no file stacks/Pulumi.old.yaml; name the other file instead" in result.output


def test_mistakes_of_the_other_file_are_reported_with_its_revision(plan: Callable[..., Result]) -> None:
    write("prod", TEXT.format(profiles="{1g.1gb: 7}"))
    git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--all", "--message", "broken")
    write("prod", HALVES)
    result = plan("--against", "main")
    assert result.exit_code == 1
    assert result.output.startswith("main:stacks/Pulumi.prod.yaml has 1 problem(s):\n"), result.output


def test_without_git_a_revision_is_refused_and_a_stack_is_read(
    plan: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert plan("--against", "old").exit_code == 0
    result = plan("--against", "main")
    assert result.exit_code == 2
    assert "git cannot run" in result.output
