"""`mig-fleet policies`: the policies, their parameters and their verdict on a stack file, without a cluster."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mig_fleet.cli.__main__ import main
from mig_fleet.cli.policies import verdicts_on
from mig_fleet.policies.all_policies import POLICIES
from mig_fleet.policies.configuration import configured
from mig_fleet.policies.verdict import Decision
from mig_fleet.stack_file import fleet


def run(*words: object, config: object = None, folder: Path | None = None) -> Result:
    if config is not None and folder is not None:
        (folder / "policies.json").write_text(json.dumps(config))
        words = (*words, "--config", folder / "policies.json")
    return CliRunner().invoke(main, ["policies", *map(str, words)], prog_name="mig-fleet")


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_our_own_stacks_keep_every_policy_that_needs_no_configuration(stack: str) -> None:
    result = run("--stack", stack, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [it["name"] for it in found] == [str(policy.name) for policy in POLICIES]
    assert {it["decision"] for it in found} == {"kept", "off"}
    assert all(it["decision"] == ("off" if it["needs"] else "kept") for it in found)


def test_a_broken_policy_is_listed_with_its_parameters_and_its_sentence(tmp_path: Path) -> None:
    config = {"mig-budget-kept": {"perHourUsd": 10}, "mig-no-whole-gpus": {"stacks": ["lo*"]}}
    result = run("--stack", "local", config=config, folder=tmp_path)
    assert result.exit_code == 1
    (row,) = (line.split() for line in result.output.splitlines() if line.startswith("  mig-budget-kept"))
    assert row == ["mig-budget-kept", "mandatory", "broken", "perHourUsd:", "10"]
    assert "mig-budget-kept: broken: the stack must cost at most $10.00 per hour; its GPUs cost $66.40" in result.output
    assert "wave 'whole-wave-0' must have MIG on for every GPU in stack 'local'" in result.output


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({"mig-budget-kept": {"perHourUsd": 10, "enforcementLevel": "advisory"}}, 0),
        ({"mig-budget-kept": {"perHourUsd": 10}, "all": "disabled"}, 0),
        ({"mig-blast-radius-limited": {"nodes": 1}}, 3),
        ({"mig-blast-radius-limited": {"nodes": 1}, "mig-budget-kept": {"perHourUsd": 10}}, 1),
    ],
    ids=["advisory", "disabled", "unproven without a cluster", "broken and unproven"],
)
def test_the_exit_status_is_that_of_the_mandatory_policies(config: dict[str, Any], status: int, tmp_path: Path) -> None:
    assert run("--stack", "local", config=config, folder=tmp_path).exit_code == status


def test_every_mistake_of_a_configuration_is_printed_and_is_a_usage_error(tmp_path: Path) -> None:
    config = {"mig-budget": {}, "mig-canary-required": {"fromNode": 3}}
    result = run("--stack", "local", config=config, folder=tmp_path)
    assert result.exit_code == 2
    assert "mig-budget: there is no such policy; did you mean 'mig-budget-kept'?" in result.stderr
    assert "mig-canary-required: fromNode: there is no such parameter; did you mean 'fromNodes'?" in result.stderr


def test_a_configuration_that_is_no_json_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "policies.json").write_text('{"mig-budget-kept": ')
    result = run("--config", tmp_path / "policies.json")
    assert result.exit_code == 2
    assert "policies.json" in result.stderr


def test_a_configuration_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    result = run("--config", tmp_path / "nowhere.json")
    assert result.exit_code == 2
    assert "nowhere.json" in result.stderr


def test_a_stack_file_with_mistakes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.new.yaml"
    path.write_text("config:\n  mig-fleet:layouts: {}\n  mig-fleet:pools: {a: {gpu: H300}}\n")
    assert run("--file", path).exit_code == 1


def test_a_pool_with_a_selector_is_unproven_where_its_nodes_count() -> None:
    """Only the cluster knows them."""
    stack = {
        "cluster": {"context": "c"},
        "layouts": {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}},
        "pools": {
            "a": {"gpu": "H100-80GB", "gpusPerNode": 2, "layout": "dense", "selector": {"matchLabels": {"k": "v"}}}
        },
        "operator": {"values": {"driver": {"version": "580.126.09"}}},
    }
    configuration = configured(POLICIES, {"mig-canary-required": {"fromNodes": 2}})
    found = verdicts_on(fleet.parse(stack, "x"), "x", configuration, datetime.now(UTC))
    decisions = {str(it.policy.name): it.decision for it in found}
    assert decisions["mig-canary-required"] is Decision.UNPROVEN
    assert decisions["mig-chart-version-pinned"] is Decision.BROKEN, "its stack file sets no version"


def test_the_work_of_an_update_is_frozen_only_after_a_preview_knows_it(tmp_path: Path) -> None:
    result = run("--stack", "local", config={"mig-change-freeze": {"weekly": ["Mon 00:00/Sun 23:59"]}}, folder=tmp_path)
    assert result.exit_code in (0, 3), "it is not frozen in the last minute of a week"
    assert "broken" not in result.output
