"""`mig-fleet gpus`: all that the catalog knows, complete on a terminal, in a pipe, as JSON and as a picture."""

import json

from click.testing import CliRunner, Result

from cli.__main__ import main
from mig import gpus, maximal


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="mig-fleet")


def test_the_catalog_is_listed_and_each_model_is_shown_with_its_layouts() -> None:
    listed = run("gpus").output
    for model in gpus.all_models():
        assert model.short in listed
        shown = run("gpus", model.name)
        assert shown.exit_code == 0
        assert "aximal layouts" in shown.output
    lines = [line.split("  ") for line in run("gpus", "H100-80GB").output.splitlines()]
    assert any(line[-1] == "4 × 1g.20gb" for line in lines)


def test_the_whole_catalog_as_json() -> None:
    models = json.loads(run("gpus", "--json").output)
    assert len(models) == 25
    (h100,) = json.loads(run("gpus", "0x233010DE", "--json").output)
    assert h100["profiles"]["3g.40gb"]["starts"] == [0, 4]
    assert {"3g.40gb": 2} in h100["maximal_layouts"]


def test_the_maximal_layouts_as_a_picture() -> None:
    result = run("gpus", "A30-24GB", "--svg")
    assert result.exit_code == 0
    assert result.output.startswith("<svg ")
    assert result.output.count("<g>") == len(maximal("A30-24GB"))
    assert run("gpus", "--svg").exit_code == 2


def test_a_profile_is_told_with_its_models_or_with_all_that_it_could_mean() -> None:
    one = run("gpus", "1g.6gb")
    told = "1g.6gb: 1 of 4 compute and 1 of 4 memory slices, 14 SMs, at most 4 (A30-24GB)\n"
    assert (one.exit_code, one.output) == (0, told)
    several = run("gpus", "1g.10gb")
    assert several.exit_code == 2
    assert "'1g.10gb' is 3 different things, so name the GPU model: " in several.output
    for models in ("(A100-40GB, A800-40GB)", "(A100-80GB, A800-80GB)", "(H100-80GB, H800-80GB)"):
        assert models in several.output
    assert "unknown MIG profile '1g.1gb'; did you mean '1g." in run("gpus", "1g.1gb").output


def test_a_part_that_no_source_lists_is_told_as_such() -> None:
    told = run("gpus", "1c.4g.96gb")
    assert told.exit_code == 0, told.output
    assert "1 of its 4 compute slices, if it splits so, which no source says (RTX-PRO-6000)" in told.output


def test_an_unknown_model_is_a_usage_error() -> None:
    result = run("gpus", "H1000-80GB")
    assert result.exit_code == 2
    assert "did you mean 'H100-80GB'?" in result.output


def test_a_pipe_gets_every_fact_on_one_line() -> None:
    for model in gpus.all_models():
        lines = run("gpus", model.name).output.splitlines()
        for fact in (", ".join(model.product_names), *model.disagreements, *model.notes):
            assert any(fact in line for line in lines), (model.short, fact)


def test_each_profile_is_shown_with_its_slices_gib_and_sms_and_each_part_of_it() -> None:
    rows = [line.split() for line in run("gpus", "H100-80GB").output.splitlines()]
    assert ["1g.10gb", "19", "7", "1", "+", "1", "9.75", "16"] in [row[:8] for row in rows]
    assert ["1c.3g.40gb", "0", "1", "16", "3", "in", "one", "3g.40gb"] in rows
    for model in gpus.all_models():
        shown = {row[0] for row in map(str.split, run("gpus", model.name).output.splitlines()) if row}
        parts = {part.name for row in model.profiles.values() for part in row.compute_instances}
        assert shown >= parts | set(model.profiles), model.short


def test_names_that_only_some_boards_report_are_told() -> None:
    assert "1g.23gb is 1g.24gb on early and some other boards, " in run("gpus", "GB200-186GB").output
    assert "  names  " not in run("gpus", "H100-80GB").output


def test_a_number_that_no_source_gives_is_no_zero() -> None:
    rows = [line.split() for line in run("gpus", "H20-96GB").output.splitlines()]
    (row,) = [row for row in rows if row and row[0] == "1g.12gb"]
    assert row[3:8] == ["1", "+", "1", "?", "?"]
