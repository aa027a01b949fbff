"""The command line: every command exists, has help, and ends with a reliable exit status."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from mig_fleet.cli.__main__ import COMMANDS, main


@pytest.fixture
def run() -> CliRunner:
    return CliRunner()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_that_says_what_it_does(run: CliRunner, name: str) -> None:
    result = run.invoke(main, [name, "--help"], prog_name="mig-fleet")
    assert result.exit_code == 0, result.output
    body = [line for line in result.output.splitlines()[1:] if line.strip()]
    assert len(body[0].split()) >= 4, "the first line of the help is a sentence"


def test_an_unknown_command_is_a_usage_error(run: CliRunner) -> None:
    assert run.invoke(main, ["fleed"]).exit_code == 2


def test_the_plan_of_a_stack_names_each_pool_its_config_and_its_cost(run: CliRunner) -> None:
    result = run.invoke(main, ["plan", "--stack", "local"])
    assert result.exit_code == 0, result.output
    for words in ("inference  inference-dense-", "gpu-node-4: 4x A100-80GB", "$0.357 for 1g.10gb", "MIG off"):
        assert words in result.output


def a_stack(*pools: str) -> str:
    """A stack file with a price, and a pool of 2 GPUs for each way to find nodes."""
    text = "config:\n  mig-fleet:cluster: {context: c}\n"
    text += "  mig-fleet:layouts: {dense: {gpu: H100-80GB, all: {1g.10gb: 7}}}\n"
    text += "  mig-fleet:prices: {H100-80GB: 2.5}\n  mig-fleet:pools:\n"
    for number, nodes in enumerate(pools):
        text += f"    pool-{number}: {{gpu: H100-80GB, gpusPerNode: 2, layout: dense, {nodes}}}\n"
    return text


NAMED, SELECTED = "nodes: [a, b]", "selector: {matchLabels: {kind: gpu}}"


@pytest.mark.parametrize(
    ("pools", "capacity", "cost"),
    [
        ([NAMED, SELECTED], "28 nvidia.com/mig-1g.10gb, without pool-1 (only", "$10.00 per hour, without pool-1 (only"),
        ([SELECTED], "per node (only the cluster knows", "per node (only the cluster knows"),
    ],
)
def test_pools_with_a_selector_are_left_out_of_the_sums_and_named(
    pools: list[str], capacity: str, cost: str, run: CliRunner, tmp_path: Path
) -> None:
    path = tmp_path / "Pulumi.new.yaml"
    path.write_text(a_stack(*pools))
    result = run.invoke(main, ["plan", "--file", str(path)])
    assert result.exit_code == 0, result.output
    assert f"Capacity: {capacity}" in result.output
    assert f"Cost:     {cost}" in result.output
    name = f"pool-{len(pools) - 1}"
    assert f"  {name}: 14 nvidia.com/mig-1g.10gb per node\n" in result.output
    assert f"  {name}: $5.00 per hour and node; $0.357 for 1g.10gb\n" in result.output
    assert "none" not in result.output
    assert "$0.00" not in result.output


def test_a_broken_stack_file_exits_1_with_every_mistake(run: CliRunner, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.broken.yaml"
    path.write_text("config: {mig-fleet:layouts: {a: {gpu: H100-80GB, all: {1g.1gb: 7}}}, mig-fleet:pool: {}}\n")
    result = run.invoke(main, ["plan", "--file", str(path)])
    assert result.exit_code == 1
    assert "Pulumi.broken.yaml has 4 problem(s)" in result.output, result.output
    assert "Traceback" not in result.output


def test_a_missing_stack_is_reported_with_the_existing_stacks(run: CliRunner) -> None:
    result = run.invoke(main, ["plan", "--stack", "lokal"])
    assert result.exit_code == 1
    assert "stacks here: dev, local, prod, staging" in result.output
