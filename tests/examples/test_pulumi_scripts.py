"""The scripts that both examples share, with a stand-in for Pulumi. tests/engine/test_examples.py has the real one."""

import json
from pathlib import Path

import pytest

from tests.examples.runner import Runner

PULUMI = """
echo "$@" >>calls
while [[ $# -gt 0 ]]; do
    case $1 in
    --stack) stack=$2 ;;
    --event-log) echo "{}" >"$2" ;;
    esac
    shift
done
if [[ -e $stack.unknown ]]; then
    echo "error: no stack named '$stack' found" >&2
    exit 255
fi
echo "{}"
exit "$(cat "$stack.status" 2>/dev/null || echo 0)"
"""
REVIEW = 'echo "review $*" >>calls; echo reviewed; exit "$(cat review.status 2>/dev/null || echo 0)"'


@pytest.fixture
def pulumi(runner: Runner) -> Runner:
    """A runner whose Pulumi ends with the number in the file STACK.status."""
    runner.stand_in("pulumi", PULUMI)
    runner.stand_in("mig-fleet", REVIEW)
    return runner


def statuses(runner: Runner, **stacks: str) -> None:
    for stack, status in stacks.items():
        (runner.folder / f"{stack}.status").write_text(status)


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [("0", "0", 0), ("0", "7", 7), ("7", "0", 7), ("7", "255", 1), ("255", "7", 1), ("1", "0", 1)],
)
def test_a_failed_preview_counts_more_than_a_change_and_every_stack_is_reviewed(
    pulumi: Runner, first: str, second: str, status: int
) -> None:
    statuses(pulumi, staging=first, prod=second)
    done = pulumi.run("preview.sh", "review", STACKS="staging prod")
    assert done.returncode == status, done.stderr
    assert (pulumi.folder / "review" / "review.md").read_text() == "reviewed\n"
    assert (pulumi.folder / "review" / "review.html").read_text() == "reviewed\n"
    stacks = [f"--events review/raw/{name}.events review/raw/{name}.json" for name in ("staging", "prod")]
    assert f"review --format markdown {' '.join(stacks)}" in (pulumi.folder / "calls").read_text()


def test_an_update_that_will_be_refused_fails_the_preview(pulumi: Runner) -> None:
    statuses(pulumi, review="1")
    assert pulumi.run("preview.sh", "review", STACKS="prod").returncode == 1
    assert (pulumi.folder / "review" / "review.md").read_text() == "reviewed\n"


def test_drift_whose_repair_will_be_refused_is_drift(pulumi: Runner) -> None:
    statuses(pulumi, review="1", prod="7")
    done = pulumi.run("drift.sh", "review", STACKS="prod")
    assert (done.returncode, done.stdout) == (0, "found=drift\n")


def test_a_stack_that_does_not_exist_fails_the_preview_after_the_review_of_the_others(pulumi: Runner) -> None:
    (pulumi.folder / "staging.unknown").touch()
    done = pulumi.run("preview.sh", "review", STACKS="staging prod")
    assert done.returncode == 1 and "no stack named 'staging'" in done.stderr
    assert "review/raw/prod.json" in (pulumi.folder / "calls").read_text()
    alone = pulumi.run("preview.sh", "other", STACKS="staging")
    assert alone.returncode == 1
    assert not (pulumi.folder / "other" / "review.md").exists()


@pytest.mark.parametrize(("status", "found"), [("0", "found=none\n"), ("7", "found=drift\n")])
def test_a_drift_check_reports_whether_there_is_drift(pulumi: Runner, status: str, found: str) -> None:
    statuses(pulumi, prod=status)
    done = pulumi.run("drift.sh", "review", STACKS="prod")
    assert (done.returncode, done.stdout) == (0, found), done.stderr
    assert "--expect-no-changes" in (pulumi.folder / "calls").read_text()


def test_a_drift_check_that_cannot_preview_fails_and_reports_nothing(pulumi: Runner) -> None:
    statuses(pulumi, prod="255")
    done = pulumi.run("drift.sh", "review", STACKS="prod")
    assert (done.returncode, done.stdout) == (1, "")


def plan(runner: Runner, *stacks: str) -> None:
    (runner.folder / "plans").mkdir()
    for stack in stacks:
        (runner.folder / "plans" / f"{stack}.json").write_text("{}")


def test_an_update_without_a_plan_of_every_stack_updates_none(pulumi: Runner) -> None:
    plan(pulumi, "staging")
    done = pulumi.run("update.sh", "plans", STACKS="staging prod")
    assert done.returncode == 1 and "No plan of stack 'prod' in plans" in done.stderr
    assert not (pulumi.folder / "calls").exists()


def test_an_update_uses_each_stack_s_plan_and_then_changes_only_the_layout_file_and_the_rules(pulumi: Runner) -> None:
    plan(pulumi, "staging", "prod")
    done = pulumi.run("update.sh", "plans", STACKS="staging prod")
    assert done.returncode == 0, done.stderr
    flags = "--non-interactive --yes --skip-preview"
    assert (pulumi.folder / "calls").read_text().splitlines() == [
        line
        for stack in ("staging", "prod")
        for line in (
            f"up --stack {stack} {flags} --policy-pack policy --plan plans/{stack}.json",
            f"up --stack {stack} {flags} --target **::layouts-file --target **::monitoring-* "
            "--target **::supporting-objects",
        )
    ]


def test_the_first_failed_update_is_the_last_one(pulumi: Runner) -> None:
    plan(pulumi, "staging", "prod")
    statuses(pulumi, staging="255")
    assert pulumi.run("update.sh", "plans", STACKS="staging prod").returncode == 255
    (call,) = (pulumi.folder / "calls").read_text().splitlines()
    assert "--stack staging" in call and "--plan plans/staging.json" in call


def test_the_configuration_of_the_policies_is_used_if_there_is_one(pulumi: Runner) -> None:
    plan(pulumi, "prod")
    (pulumi.folder / "policies.json").write_text("{}")
    assert pulumi.run("preview.sh", "review", STACKS="prod").returncode == 0
    assert pulumi.run("update.sh", "plans", STACKS="prod").returncode == 0
    calls = (pulumi.folder / "calls").read_text().splitlines()
    assert ["--policy-pack policy --policy-pack-config policies.json" in call for call in calls] == [
        *(True, False, False),  # the preview, two formats of the review
        *(True, False),  # the update, the layout file alone
    ]


STACK_FILE = """
config:
  mig-fleet:cluster: {{context: dev-gpu}}
  mig-fleet:operator: {{version: v26.7.0}}
  mig-fleet:layouts:
    dense: {{gpu: H100-80GB, all: {{{slices}}}}}
  mig-fleet:pools:
    notebooks: {{gpu: H100-80GB, gpusPerNode: 8, nodes: [dev-gpu-1], layout: dense}}
"""


@pytest.mark.parametrize(
    ("slices", "policies", "passes", "text"),
    [
        ("1g.10gb: 7", None, True, "56 nvidia.com/mig-1g.10gb"),
        ("1g.10gb: 8", None, False, "layouts.dense: impossible on H100-80GB: 1g.10gb ×8 need 8 compute slices"),
        ("1g.10gb: 7", {"mig-budget-kept": {"perHourUsd": 1}}, False, "mig-budget-kept"),
        ("1g.10gb: 7", {"mig-change-freeze": {"never": 1}}, False, "mig-change-freeze"),
    ],
    ids=["good", "impossible", "denied", "wrong configuration"],
)
def test_the_offline_check_needs_the_stack_files_only(
    runner: Runner, slices: str, policies: object, passes: bool, text: str
) -> None:
    (runner.folder / "stacks").mkdir()
    prices = "  mig-fleet:prices: {H100-80GB: 2.5}\n"
    (runner.folder / "stacks" / "Pulumi.dev.yaml").write_text(STACK_FILE.format(slices=slices).lstrip() + prices)
    if policies:
        (runner.folder / "policies.json").write_text(json.dumps(policies))
    done = runner.run("offline.sh", ".")
    assert (done.returncode == 0) == passes, done.stdout + done.stderr
    assert text in done.stdout + done.stderr


def test_the_kubeconfig_is_private_and_a_missing_secret_is_named(runner: Runner) -> None:
    path = runner.folder / "kubeconfig"
    done = runner.run("kubeconfig.sh", KUBECONFIG=str(path), KUBECONFIG_CONTENT="apiVersion: v1")
    assert done.returncode == 0, done.stderr
    assert path.read_text() == "apiVersion: v1\n" and path.stat().st_mode & 0o777 == 0o600
    missing = runner.run("kubeconfig.sh", KUBECONFIG=str(path), KUBECONFIG_CONTENT="")
    assert missing.returncode == 1 and "MIG_FLEET_KUBECONFIG" in missing.stderr


def test_installing_prints_the_folders_for_path_and_installs_the_checked_plugin(runner: Runner) -> None:
    runner.stand_in("make", 'echo "make $*" >>calls; mkdir -p .venv/bin && cp bin/mig-fleet bin/python .venv/bin/')
    runner.stand_in(
        "mig-fleet",
        f"echo $PATH >>calls; echo pulumi={runner.folder}/bin/pulumi; echo pulumi-resource-kubernetes=/tools/plugin",
    )
    runner.stand_in("python", "echo 1.2.3")
    runner.stand_in("pulumi", 'echo "pulumi $*" >>calls')
    done = runner.run("install.sh")
    assert done.returncode == 0, done.stderr
    assert [Path(line) for line in done.stdout.splitlines()] == [runner.folder / "bin", runner.folder / ".venv" / "bin"]
    assert (runner.folder / "calls").read_text().splitlines() == [
        "make setup",
        "/usr/bin:/bin",
        "pulumi plugin install resource kubernetes v1.2.3 --file /tools/plugin --reinstall",
    ]
