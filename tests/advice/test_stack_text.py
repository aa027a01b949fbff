"""The diff changes the profiles of a layout in the stack file's own text, and nothing else."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mig_fleet.advice.layout_advice import LayoutAdvice, advise
from mig_fleet.advice.stack_text import StackText, edit
from mig_fleet.documents import parse
from mig_fleet.model.layouts import Layout
from mig_fleet.stack_file.fleet import Fleet, from_content
from tests.advice.measurements import WINDOW, members, of_nodes

STACK = """\
# Production: é, 🎉
config:
  mig-fleet:cluster: {{context: c}}
  mig-fleet:layouts:
{layouts}
  mig-fleet:pools:
    serving: {{gpu: H100-80GB, gpusPerNode: 2, nodes: [n1], layout: dense}}  # the pool
    other: {{gpu: H100-80GB, gpusPerNode: 2, nodes: [n2], layout: other}}
"""
OTHER = "    other: {gpu: H100-80GB, all: {3g.40gb: 2}}"
BUSY = 0.4
"""A 2g.20gb is enough for a 3g.40gb that is as busy, and a GPU holds three of them."""


def advice_of(text: str, names: Sequence[str] = ("dense",)) -> list[LayoutAdvice]:
    fleet = fleet_of(text)
    measured = [*of_nodes("3g.40gb", 2, ["n1"], busy=BUSY)]
    return [advise(fleet.layouts[name], members("n1"), measured, WINDOW) for name in names]


def fleet_of(text: str) -> Fleet:
    return from_content(parse("stack.yaml", text.encode()), "stack.yaml")


def edited(text: str, names: Sequence[str] = ("dense",)) -> StackText:
    return edit("stack.yaml", text.encode(), advice_of(text, names))


def stack(layout: str) -> str:
    return STACK.format(layouts=f"{layout.rstrip()}\n{OTHER}")


FORMS = {
    "flow": "    dense: {gpu: H100-80GB, all: {3g.40gb: 2}}  # large",
    "quoted": """    dense: {"gpu": 'H100-80GB', "all": {"3g.40gb": 2}}""",
    "single quotes": "    dense: {gpu: H100-80GB, all: {'3g.40gb':  2 }}",
    "block": "    dense:\n      gpu: H100-80GB\n      all:\n        # two halves\n        3g.40gb:   2   # each",
    "several lines": "    dense: {gpu: H100-80GB,\n      all: {\n        3g.40gb:\n          2}}",
    "explicit key": "    dense:\n      gpu: H100-80GB\n      all:\n        ? 3g.40gb\n        : 2",
    "groups": "    dense:\n      gpu: H100-80GB\n      gpus:\n        - {devices: [0, 1], profiles: {3g.40gb: 2}}",
    "equal groups": """    dense:
      gpu: H100-80GB
      gpus:
        - {devices: [1], profiles: {3g.40gb: 2}}
        - devices: [0]
          profiles: {3g.40gb: 2}""",
    "an unused anchor": "    dense: &dense {gpu: H100-80GB, all: &all {3g.40gb: 2}}",
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_layout_is_changed_in_its_own_text(form: str) -> None:
    text = stack(FORMS[form])
    found = edited(text)
    assert found.not_edited == ()
    dense = FORMS[form]
    changed = (
        dense.replace("3g.40gb", "2g.20gb").replace(": 2", ": 3").replace(":  2", ":  3").replace(":   2", ":   3")
    )
    changed = changed.replace("          2}", "          3}")
    assert found.after == stack(changed)


@pytest.mark.parametrize("form", FORMS)
def test_the_new_text_means_the_proposed_layout_and_all_else_as_before(form: str) -> None:
    text = stack(FORMS[form])
    (advice,), found = advice_of(text), edited(text)
    before, after = fleet_of(text), fleet_of(found.after)
    assert after.layouts["dense"] == advice.after
    assert after.layouts["dense"].groups[0].profiles == {"2g.20gb": 3}
    assert after.layouts["other"] == before.layouts["other"]
    assert without_layouts(after) == without_layouts(before)


def without_layouts(fleet: Fleet) -> dict[str, Any]:
    return fleet.settings.model_dump(exclude={"layouts"})


H100 = "gpu: H100-80GB"
REFUSED = {
    "an alias of the whole layout": f"    dense: &x {{{H100}, all: {{3g.40gb: 2}}}}\n    twin: *x",
    "an alias of the profiles": f"    twin: {{{H100}, all: &x {{3g.40gb: 2}}}}\n    dense: {{{H100}, all: *x}}",
    "an anchor of the profiles": f"    dense: {{{H100}, all: &x {{3g.40gb: 2}}}}\n    twin: {{{H100}, all: *x}}",
    "an anchored count": f"    dense: {{{H100}, all: {{3g.40gb: &n 2}}}}\n    t: {{{H100}, all: {{3g.40gb: *n}}}}",
    "a merge key": "    twin: &x {gpu: H100-80GB, all: {3g.40gb: 2}}\n    dense:\n      <<: *x",
    "an octal count": "    dense: {gpu: H100-80GB, all: {3g.40gb: 0o2}}",
    "a tagged count": "    dense: {gpu: H100-80GB, all: {3g.40gb: !!int 2}}",
    "a tagged name": "    dense: {gpu: H100-80GB, all: {!!str 3g.40gb: 2}}",
    "an escaped name": '    dense: {gpu: H100-80GB, all: {"3g.\\x340gb": 2}}',
    "two spellings": "    dense: {gpu: H100-80GB, all: {3g.40gb: 1, 3c.3g.40gb: 1}}",
    "the new profile with a count of 0": "    dense: {gpu: H100-80GB, all: {3g.40gb: 2, 2g.20gb: 0}}",
}


@pytest.mark.parametrize("form", REFUSED)
def test_a_text_that_no_edit_is_sure_to_keep_is_not_edited(form: str) -> None:
    text = stack(REFUSED[form])
    found = edited(text)
    assert found == StackText(text, "", ("dense",))


def test_an_alias_beside_the_layout_does_not_matter() -> None:
    text = stack(FORMS["flow"]) + "  mig-fleet:operator: {values: {a: &v {b: 1}, c: *v}}\n"
    assert edited(text).diff


@pytest.mark.parametrize("prefix", ["", "mig-fleet:config:"])
def test_a_section_may_have_another_spelling(prefix: str) -> None:
    text = stack(FORMS["flow"]).replace("mig-fleet:layouts", f"{prefix}layouts")
    assert "+    dense: {gpu: H100-80GB, all: {2g.20gb: 3}}  # large" in edited(text).diff


def test_several_layouts_are_one_diff_and_one_that_is_not_editable_is_left_out() -> None:
    text = stack("    dense: {gpu: H100-80GB, all: {3g.40gb: 2}}\n    odd: {gpu: H100-80GB, all: {3g.40gb: 0x2}}")
    found = edited(text, ["dense", "odd", "other"])
    assert found.not_edited == ("odd",)
    after = fleet_of(found.after)
    assert [after.layouts[name].groups[0].profiles for name in ("dense", "odd", "other")] == [
        {"2g.20gb": 3},
        {"3g.40gb": 2},
        {"2g.20gb": 3},
    ]


def test_a_layout_that_stays_has_no_diff() -> None:
    text = stack("    dense: {gpu: H100-80GB, all: {1g.10gb: 7}}")
    assert edited(text) == StackText(text, "", ())


def test_the_diff_has_only_the_changed_lines() -> None:
    diff = edited(stack(FORMS["flow"])).diff
    changed = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changed == [
        "-    dense: {gpu: H100-80GB, all: {3g.40gb: 2}}  # large",
        "+    dense: {gpu: H100-80GB, all: {2g.20gb: 3}}  # large",
    ]


LAYOUTS_LAST = """\
config:
  mig-fleet:cluster: {context: c}
  mig-fleet:pools:
    other: {gpu: H100-80GB, gpusPerNode: 2, nodes: [n1], layout: other}
  mig-fleet:layouts:
    other: {gpu: H100-80GB, all: {3g.40gb: 2}}
"""
LAYOUTS_FIRST = STACK.format(layouts=OTHER).replace("layout: dense", "layout: other")


@pytest.mark.parametrize("text", [LAYOUTS_FIRST, LAYOUTS_LAST], ids=["layouts first", "layouts last"])
@pytest.mark.parametrize("end", ["\n", ""], ids=["a last line feed", "none"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["no byte order mark", "a byte order mark"])
def test_git_applies_the_diff(tmp_path: Path, text: str, end: str, mark: str) -> None:
    text = mark + text.rstrip() + end
    path = tmp_path / "stack.yaml"
    path.write_text(text, newline="")
    found = edit("stack.yaml", text.encode(), advice_of(text, ["other"]))
    # The diff has no byte order mark. With -C1 git lets that line of the context differ; `patch` always does.
    subprocess.run(
        ["git", "apply", "-p0", "-C1"], input=found.diff, text=True, cwd=tmp_path, check=True, capture_output=True
    )
    assert fleet_of(path.read_text()).layouts["other"].groups[0].profiles == {"2g.20gb": 3}
    assert path.read_text("utf-8-sig") == found.after


@pytest.mark.parametrize("text", ["\u202e reordered", "\u200b hidden"])
def test_a_text_that_a_terminal_shows_otherwise_is_not_shown_as_a_diff(text: str) -> None:
    assert edited(stack(f"{FORMS['flow']} {text}")).not_edited == ("dense",)


comments = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" "), max_size=20)
spaces = st.integers(1, 4).map(lambda count: " " * count)
quotes = st.sampled_from(["", "'", '"'])


@settings(max_examples=min(50, settings().max_examples))
@given(comments, spaces, quotes, st.booleans(), st.booleans())
def test_any_formatting_and_comment_stays(comment: str, space: str, quote: str, block: bool, crlf: bool) -> None:
    profile = f"{quote}3g.40gb{quote}:{space}2"
    value = f"\n        {profile} # {comment}" if block else f"{space}{{ {profile}{space}}} # {comment}"
    text = stack(f"    dense:\n      gpu: H100-80GB\n      all:{value}")
    text = text.replace("\n", "\r\n") if crlf else text
    found = edited(text)
    assert found.not_edited == ()
    assert found.after == text.replace(
        profile, profile.replace("3g.40gb", "2g.20gb").replace(f"{space}2", f"{space}3"), 1
    )
    (advice,) = advice_of(text)
    assert (
        fleet_of(found.after).layouts["dense"] == advice.after == Layout.uniform("dense", "H100-80GB", {"2g.20gb": 3})
    )
