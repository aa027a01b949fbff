"""`mig-fleet review`: what it reads, what it prints, and its exit status."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mig_fleet.cli.__main__ import main
from tests.review.previews_by_hand import CHANGE, a_preview, a_violation, a_wave, an_event_log
from tests.review.recordings import FOLDER

POD = "node-1: team/chat-0 (StatefulSet chat) holds 1x mig-1g.10gb"


def run(*arguments: str | Path, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(main, ["review", *map(str, arguments)], input=stdin)


def test_nothing_refused_is_0_and_refused_is_1_and_both_print_the_review() -> None:
    fine, refused = run(FOLDER / "drift.json"), run(FOLDER / "pods-in-use.json")
    assert (fine.exit_code, refused.exit_code) == (0, 1)
    assert fine.output.startswith("### ") and refused.output.startswith("### ")


def test_standard_input_and_several_stacks_make_one_review() -> None:
    two = a_preview(*a_wave(plannedChanges=CHANGE)) + a_preview().replace("urn:pulumi:prod", "urn:pulumi:staging")
    found = run(stdin=two)
    assert found.exit_code == 0, found.output
    assert "fleet/prod changes 1 node" in found.output and "fleet/staging changes nothing" in found.output
    assert run("-", stdin=two).output == found.output


def test_an_event_log_adds_the_policies(tmp_path: Path) -> None:
    preview, log = tmp_path / "preview.json", tmp_path / "events.log"
    preview.write_text(a_preview(*a_wave(plannedChanges=CHANGE)))
    log.write_text(an_event_log(a_violation()))
    assert run(preview).exit_code == 0
    denied = run(preview, "--events", log)
    assert denied.exit_code == 1 and "`mig-budget-kept`" in denied.output


def test_json_has_every_field_and_text_is_plain() -> None:
    text = a_preview(*a_wave(plannedChanges=CHANGE, podsLosingSlices=[POD], onUserPods="evict"))
    (review,) = json.loads(run("--format", "json", stdin=text).output)["reviews"]
    (wave,) = review["waves"]
    assert (review["outcome"], wave["onUserPods"], wave["pods"][0]["owner"]) == ("changes", "evict", "StatefulSet chat")
    assert wave["changes"][0]["gpus"][1] == {
        "indexes": [3],
        "before": {"profiles": {"1g.10gb": 7}, "known": True},
        "after": {"profiles": {"3g.40gb": 1, "1g.10gb": 4}, "known": True},
        "touched": True,
    }
    assert "team/chat-0 (StatefulSet chat) on node-1: is evicted" in run("--format", "text", stdin=text).output
    assert run("--format", "html", stdin=text).output.startswith("<!doctype html>")


WHOLE = a_preview(*a_wave(plannedChanges=CHANGE))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        (WHOLE[:-40], "ends in the middle of the preview"),
        (WHOLE[: len(WHOLE) // 2], "ends in the middle of the preview"),
        ("Previewing update (prod):\n + 3 to create\n", "prints without --json cannot be read"),
        ('{"version": 3, "deployment": {}}', "neither steps nor diagnostics"),
        ("[]", "neither steps nor diagnostics"),
        ('{"steps": {"a": 1}}', "no list of objects"),
        ('{"steps": [1]}', "no list of objects"),
        ("{" * 100_000, "is not JSON"),
        (b"\xff\xfe{}", "is not JSON"),
        (WHOLE + "warning: a new version", "is not JSON"),
    ],
)
def test_what_is_no_preview_is_refused_with_the_remedy(text: str | bytes, reason: str) -> None:
    found = run(stdin=text)
    assert found.exit_code == 2 and reason in found.output, found.output
    assert "standard input: " in found.output and "`pulumi preview --json > preview.json`" in found.output


def test_a_file_that_is_missing_is_named() -> None:
    found = run("nowhere.json")
    assert found.exit_code == 2 and "nowhere.json: cannot be read: No such file or directory" in found.output


@pytest.mark.parametrize("text", ["", "x\n", '{"a": 1}\n', WHOLE])
def test_what_is_no_event_log_is_refused_with_the_remedy(text: str, tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    path.write_text(text)
    found = run("--events", path, stdin=WHOLE)
    assert found.exit_code == 2 and str(path) in found.output and "event" in found.output


def test_the_last_line_of_an_event_log_may_be_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    path.write_text(an_event_log(a_violation()) + '\n{"sequence": 9, "diag')
    assert run("--events", path, stdin=WHOLE).exit_code == 1


def test_a_preview_with_unexpected_values_is_still_reviewed() -> None:
    """Another version of mig-fleet, or of Pulumi, may have written it."""
    steps = a_wave(plannedChanges=["a new sentence", 7], podsLosingSlices="none", capacityChanges=[None], expected=7)
    found = run(stdin=a_preview(*steps, {"op": "same"}, {}, diagnostics=[{}]))
    assert found.exit_code == 0, found.output
