"""`mig-fleet check --price`: the cost of slices, and the parts of a GPU's price."""

import json

import pytest
from click.testing import CliRunner, Result

from mig_fleet.cli.__main__ import main


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["check", "--gpu", "H100-80GB", *words], prog_name="mig-fleet")


def test_seven_equal_slices_cost_a_seventh_each() -> None:
    result = run("1g.10gb=7", "--price", "2.50")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-3:] == [
        "  $2.50 for the GPU, charged by the larger of compute and memory:",
        "    1g.10gb: $0.357 each, 85.7 % less than the GPU",
        "    stranded: 20 of 132 SMs, which no slice has, $0.379 by SMs; by the larger of compute and memory $0.000",
    ]


def test_resources_that_another_slice_could_use_are_stranded_only_in_this_layout() -> None:
    assert run("3g.40gb=2").exit_code == 0, "a second slice fits"
    line = run("3g.40gb=1", "--price", "2.5").output.splitlines()[-1]
    assert line == (
        "    stranded: 72 of 132 SMs, which no slice has, $1.364 by SMs; by the larger of compute and memory $1.250"
    )


def test_memory_that_takes_the_compute_of_others_away_leaves_no_zero_without_the_sms() -> None:
    line = run("1g.20gb=4", "--price", "3").output.splitlines()[-1]
    assert line.startswith("    stranded: 68 of 132 SMs, which no slice has, $1.545 by SMs; ")
    assert json.loads(run("1g.20gb=4", "--price", "3", "--json").output)["cost"]["strandedSms"] == 68


def test_slices_that_are_kept_cost_what_they_take_and_are_not_stranded() -> None:
    lines = run("1g.10gb=4", "--keep", "3g.40gb@4", "--price", "2.5").output.splitlines()
    assert "    3g.40gb: $1.167 each, 53.3 % less than the GPU" in lines
    assert lines[-1].startswith("    stranded: 8 of 132 SMs, which no slice has")


def test_without_a_source_for_the_sms_only_the_price_is_known() -> None:
    words = ["check", "--gpu", "H20-96GB", "1g.12gb=7", "--price", "2"]
    line = CliRunner().invoke(main, words, prog_name="mig-fleet").output.splitlines()[-1]
    assert line == "    stranded: $0.000, which this layout gives to no slice"


@pytest.mark.parametrize(
    ("basis", "each", "stranded"), [("max", 1.25, 1.25), ("compute", 15 / 14, 20 / 14), ("memory", 1.25, 1.25)]
)
def test_the_basis_decides_the_charge_of_a_slice_and_what_is_stranded(basis: str, each: float, stranded: float) -> None:
    cost = json.loads(run("3g.40gb=1", "--price", "2.5", "--basis", basis, "--json").output)["cost"]
    assert cost["basis"] == basis
    assert cost["perSlice"] == {"3g.40gb": pytest.approx(each)}
    assert cost["stranded"] == pytest.approx(stranded)


def test_the_price_is_the_sum_of_used_idle_unallocated_and_stranded() -> None:
    words = ("1g.20gb=2", "2g.20gb=1", "--price", "4", "--busy", "1g.20gb=0.75", "--busy", "2g.20gb=0")
    cost = json.loads(run(*words, "--json").output)["cost"]
    assert [cost[part] for part in ("used", "idle", "unallocated", "stranded")] == pytest.approx(
        [0.75, 0.25 + 8 / 7, 1, 4 - 2 - 8 / 7]
    )
    assert run(*words).output.splitlines()[-1] == (
        "    $0.750 used + $1.393 idle + $1.000 unallocated + $0.857 stranded"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["1g.10gb=7", "--price", "-1"], "the price must be a number from 0, found -1.0"),
        (["1g.10gb=8", "--price", "nan"], "the price must be a number from 0, found nan"),
        (["1g.10gb=7", "--basis", "memory"], "--basis needs a price, as in --price 2.50"),
        (["1g.10gb=7", "--busy", "1g.10gb=1"], "--busy needs a price, as in --price 2.50"),
        (["1g.10gb=7", "--price", "1", "--basis", "weight"], "is not one of 'max', 'compute', 'memory'"),
        (["1g.10gb=7", "--price", "1", "--busy", "1g.10gb"], "must be a profile and a number from 0 to 1"),
        (["1g.10gb=7", "--price", "1", "--busy", "1g.10gb=80"], "must be a profile and a number from 0 to 1"),
        (
            ["1g.10gb=7", "--price", "1", "--busy", "2g.20gb=1"],
            "2g.20gb must be at most the 0 of the layout, found 1",
        ),
    ],
)
def test_an_invalid_price_is_a_usage_error(words: list[str], text: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert text in result.output


def test_an_impossible_layout_has_no_cost() -> None:
    result = run("1g.10gb=8", "--price", "2.50")
    assert result.exit_code == 1
    assert "$" not in result.output
    assert json.loads(run("1g.10gb=8", "--price", "2.50", "--json").output)["cost"] is None


def test_an_unproven_layout_has_a_cost() -> None:
    words = ["check", "--gpu", "GB300-278GB", "1g.35gb=7", "--price", "7"]
    result = CliRunner().invoke(main, words, prog_name="mig-fleet")
    assert (result.exit_code, "1g.35gb: $1.000 each" in result.output) == (3, True)


def test_a_price_without_a_gpu_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["check", "config.yaml", "--price", "2"], prog_name="mig-fleet")
    assert (result.exit_code, "name its model with --gpu" in result.output) == (2, True)
