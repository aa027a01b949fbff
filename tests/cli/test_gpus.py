"""`mig-fleet gpus`: the whole catalog on a terminal, in a pipe, as JSON and as a picture."""

import json
from collections.abc import Iterator, Sequence
from functools import cache

import pytest
from click.testing import CliRunner, Result
from rich.text import Text

from mig_fleet.cli.__main__ import main
from mig_fleet.model import gpus, maximal


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="mig-fleet")


@cache
def printed_lines(model: gpus.GpuModel) -> Sequence[str]:
    """The lines about a GPU model in a pipe."""
    result = run("gpus", model.name)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_the_catalog_is_listed_and_each_model_is_shown_with_its_layouts() -> None:
    listed = run("gpus").output
    for model in gpus.all_models():
        assert model.short in listed
        assert any(line.startswith("Maximal layouts") for line in printed_lines(model))
    lines = [line.split("  ") for line in run("gpus", "H100-80GB").output.splitlines()]
    assert any(line[-1] == "4 × 1g.20gb" for line in lines)


def test_the_whole_catalog_as_json() -> None:
    models = json.loads(run("gpus", "--json").output)
    assert len(models) == 25
    (h100,) = json.loads(run("gpus", "0x233010DE", "--json").output)
    assert h100["profiles"]["3g.40gb"]["starts"] == [0, 4]
    assert {"3g.40gb": 2} in h100["maximalLayouts"]
    assert not any("_" in key for model in models for key in keys_of(model)), "keys are in camelCase"


def keys_of(data: object) -> Iterator[str]:
    if isinstance(data, dict):
        yield from data
    for value in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from keys_of(value)


def test_the_maximal_layouts_as_a_picture() -> None:
    result = run("gpus", "A30-24GB", "--svg")
    assert result.exit_code == 0
    assert result.output.startswith("<svg ")
    assert result.output.count("<g>") == len(maximal("A30-24GB"))
    assert run("gpus", "--svg").exit_code == 2


def test_a_profile_is_printed_with_its_models_or_with_its_different_meanings() -> None:
    one = run("gpus", "1g.6gb")
    expected = "1g.6gb: 1 of 4 compute and 1 of 4 memory slices, 14 SMs, at most 4 (A30-24GB)\n"
    assert (one.exit_code, one.output) == (0, expected)
    for word in ("mig-1g.6gb", "nvidia.com/mig-1g.6gb"):
        assert run("gpus", word).output == expected, "the spelling of Kubernetes"
    several = run("gpus", "1g.10gb")
    assert several.exit_code == 2
    assert "'1g.10gb' means 3 different slices, so name the GPU model: " in several.output
    for models in ("(A100-40GB, A800-40GB)", "(A100-80GB, A800-80GB)", "(H100-80GB, H800-80GB)"):
        assert models in several.output
    assert "unknown MIG profile '1g.1gb'; did you mean '1g." in run("gpus", "1g.1gb").output


def test_a_part_that_no_source_lists_is_marked() -> None:
    result = run("gpus", "1c.4g.96gb")
    assert result.exit_code == 0, result.output
    assert "1 of its 4 compute slices; no source states that it can be split like this (RTX-PRO-6000)" in result.output


def test_an_unknown_model_is_a_usage_error() -> None:
    result = run("gpus", "H1000-80GB")
    assert result.exit_code == 2
    assert "did you mean 'H100-80GB'?" in result.output


def test_a_pipe_gets_every_fact_on_one_line() -> None:
    for model in gpus.all_models():
        for fact in (", ".join(model.product_names), *model.disagreements, *model.notes):
            assert any(fact in line for line in printed_lines(model)), (model.short, fact)


def test_each_profile_is_shown_with_its_slices_gib_and_sms_and_each_part_of_it() -> None:
    rows = [line.split() for line in run("gpus", "H100-80GB").output.splitlines()]
    assert ["1g.10gb", "19", "7", "1", "+", "1", "9.75", "16"] in [row[:8] for row in rows]
    assert ["1c.3g.40gb", "0", "1", "16", "3", "in", "one", "3g.40gb"] in rows
    for model in gpus.all_models():
        names = {row[0] for row in map(str.split, printed_lines(model)) if row}
        parts = {part.name for row in model.profiles.values() for part in row.compute_instances}
        assert names >= parts | set(model.profiles), model.short


def test_each_profile_is_shown_with_its_minimum_driver() -> None:
    rows = [line.split() for line in run("gpus", "A100-40GB").output.splitlines()]
    drivers = {row[0]: row[-2] for row in rows if row and row[-1] == "nvidia-doc"}
    assert (drivers["1g.5gb"], drivers["1g.5gb+me"], drivers["1g.10gb"]) == ("R450", "R470", "R525")
    assert "  needs     driver R510 for 4g.20gb with 3g.20gb (" in run("gpus", "A100-40GB").output
    assert "  needs  " not in run("gpus", "H100-80GB").output, "the first lines already give R525 (525.85.12) for all"
    assert "  needs     driver R525 (525.85.12) for each profile\n" in run("gpus", "H800-80GB").output
    (unknown,) = [line for line in run("gpus", "GH200-96GB").output.splitlines() if line.startswith("  7g.96gb ")]
    assert unknown.split()[-2] == "?", "no source gives a minimum"


def test_every_fact_about_drivers_and_profiles_is_printed() -> None:
    for model in gpus.all_models():
        lines, rows = printed_lines(model), model.profiles.values()
        drivers = [row.driver_min for row in rows if row.driver_min]
        for fact in (*drivers, *(note for row in rows for note in row.notes)):
            assert any(fact in line for line in lines), (model.short, fact)
        for rule in model.driver_rules:
            assert any(f"driver {rule.driver_min} for {' with '.join(rule.profiles)}" in line for line in lines)
            assert any(line.startswith(f"  {rule.source}: ") for line in lines), "the source is listed"


def test_a_note_about_several_profiles_is_printed_once() -> None:
    lines = run("gpus", "RTX-PRO-6000").output.splitlines()
    assert "  - 4g.96gb, 4g.96gb+gfx: The user guide gives its memory as Full of the GPU." in lines
    assert sum("The user guide gives its memory as 1/4 of the GPU." in line for line in lines) == 1


def test_a_profile_is_one_line_on_a_terminal_of_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    for model in gpus.all_models():
        lines = [Text.from_ansi(line).plain for line in run("gpus", model.name).output.splitlines()]
        head = next(number for number, line in enumerate(lines) if line.startswith("  profile "))
        legend = next(number for number, line in enumerate(lines) if line.startswith("  slices: "))
        assert legend - head == len(model.profiles) + 3, f"{model.short}: a cell is folded"
        assert max(map(len, lines[head : legend + 1])) <= 100


def test_a_model_without_a_source_for_its_parts_has_a_note() -> None:
    output = run("gpus", "RTX-PRO-5000").output
    assert "no source states how 2g.48gb, 2g.48gb+gfx are split; run on a node with this GPU model: " in output
    assert "nvidia-smi mig -lcip" in output
    assert "-lcip" not in run("gpus", "H100-80GB").output


def test_names_that_only_some_boards_report_are_listed() -> None:
    assert "1g.23gb is 1g.24gb on early and some other boards, " in run("gpus", "GB200-186GB").output
    assert "  names  " not in run("gpus", "H100-80GB").output


def test_a_number_without_a_source_is_a_question_mark() -> None:
    rows = [line.split() for line in run("gpus", "H20-96GB").output.splitlines()]
    (row,) = [row for row in rows if row and row[0] == "2g.24gb"]
    assert row[3:8] == ["2", "+", "2", "?", "?"]


def test_a_slice_has_the_sms_that_mig_manager_gives_it_and_what_nvidia_smi_gives_is_listed_apart() -> None:
    profiles, _, others = run("gpus", "H100-80GB").output.partition("what MIG Manager does not create:")
    (made,) = [line.split() for line in profiles.splitlines() if line.startswith("  1g.20gb ")]
    (other,) = [line.split() for line in others.splitlines() if line.startswith("  1g.20gb ")]
    assert (made[7], other[1:4]) == ("16", ["7", "1", "26"])


def test_a_board_of_another_model_with_the_same_id_is_shown() -> None:
    line = "  not       NVIDIA RTX PRO 5000 72GB Blackwell, another model with the same PCI id: subsystem device 227A\n"
    assert line in run("gpus", "RTX-PRO-5000").output
