"""Pictures: aligned to memory slices, readable without colour."""

from xml.etree import ElementTree

import pytest

from mig_fleet.model import gpus, maximal, pictures, prove
from mig_fleet.model.errors import InvalidRequest, MigError, UnknownGpu, UnknownProfile

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("profiles", "row"),
    [
        ({"1g.10gb": 7}, "[1g][1g][1g][1g][1g][1g][1g] ·  "),
        ({"3g.40gb": 2}, "[      3g      ][      3g      ]"),
        ({"4g.40gb": 1, "2g.20gb": 1, "1g.10gb": 1}, "[      4g      ][  2g  ][1g] ·  "),
        ({"1g.20gb": 4}, "[  1g  ][  1g  ][  1g  ][  1g  ]"),
        (None, "[          whole GPU           ]"),
        ({"4g.40gb": 2}, "2 × 4g.40gb (impossible)"),
    ],
)
def test_a_gpu_in_the_terminal(profiles: dict[str, int] | None, row: str) -> None:
    assert pictures.row("H100-80GB", profiles) == row


def test_longer_names_widen_every_slice_equally() -> None:
    assert pictures.row("H100-80GB", {"1g.10gb+me": 1, "3g.40gb": 1}) == (
        "   ·      ·      ·   [1g+me][            3g            ]"
    )


def test_every_maximal_layout_of_every_model_is_as_wide_as_its_gpu() -> None:
    for model in gpus.all_models():
        for layout in maximal(model):
            row = pictures.row(model, layout)
            assert len(row) % model.memory_slices == 0
            assert row.count("[") == sum(layout.values())


def test_a_proof_with_kept_instances_can_be_drawn() -> None:
    kept = prove("H100-80GB", {"3g.40gb": 1}).placements
    assert pictures.row("H100-80GB", prove("H100-80GB", {"1g.10gb": 1}, keep=kept)) == (
        " ·   ·   ·  [1g][      3g      ]"
    )


def test_an_svg_draws_each_instance_at_its_start() -> None:
    rows = [("GPU 0-3", {"3g.40gb": 1, "2g.20gb": 1}), ("GPU 4", None), ("GPU 5", {"4g.40gb": 2})]
    text = pictures.svg("H100-80GB", rows)
    assert text == pictures.svg("H100-80GB", rows)
    groups = ElementTree.fromstring(text).findall(f"{SVG}g")
    words = [[element.text for element in group.findall(f"{SVG}text")] for group in groups]
    assert words == [["GPU 0-3", "2g.20gb", "3g.40gb"], ["GPU 4", "whole GPU, MIG off"], ["GPU 5", "impossible"]]
    boxes = groups[0].findall(f"{SVG}rect")
    assert len(boxes) == 2 + 2, "two instances and two free slices"
    assert float(boxes[1].get("width", 0)) > 2 * float(boxes[0].get("width", 0)) - 5


def test_every_row_has_a_title_that_describes_it() -> None:
    rows = [("GPU 0-3", {"3g.40gb": 1, "1g.10gb": 2}), ("GPU 4", None), ("GPU 5", {"4g.40gb": 2})]
    groups = ElementTree.fromstring(pictures.svg("H100-80GB", rows)).findall(f"{SVG}g")
    assert [group.findtext(f"{SVG}title") for group in groups] == [
        "GPU 0-3: 3g.40gb + 2x 1g.10gb; 2 of 8 memory slices free",
        "GPU 4: whole GPU, MIG off",
        "GPU 5: 2x 4g.40gb, impossible",
    ]
    assert all(group[0].tag == f"{SVG}title" for group in groups), "a title counts only as the first child"


def test_every_name_of_every_layout_is_within_its_box() -> None:
    for model in gpus.all_models():
        layouts = [(f"a caption of {len(layout)} words and more", layout) for layout in maximal(model)]
        picture = ElementTree.fromstring(pictures.svg(model, layouts))
        for group in picture.iter(f"{SVG}g"):
            caption, *names = group.findall(f"{SVG}text")
            boxes = [box for box in group.findall(f"{SVG}rect") if box.get("stroke-dasharray") is None]
            first = min(float(box.get("x", 0)) for box in group.findall(f"{SVG}rect"))
            assert letters(caption) < first - float(caption.get("x", 0))
            for box, name in zip(boxes, names, strict=True):
                assert letters(name) < float(box.get("width", 0)), (model.short, name.text)


def letters(text: ElementTree.Element) -> float:
    """The width of a text in pixels: a letter of a monospace font is 0.6 em wide."""
    return len(text.text or "") * 0.6 * 13


def test_an_svg_escapes_captions() -> None:
    text = pictures.svg("H100-80GB", [("<a & b>", None)])
    assert ElementTree.fromstring(text).findtext(f"{SVG}g/{SVG}text") == "<a & b>"


@pytest.mark.parametrize("gpu", [5, None, ["H100-80GB"]])
def test_a_picture_of_an_unknown_gpu_is_refused(gpu: object) -> None:
    with pytest.raises(UnknownGpu):
        pictures.row(gpu, None)  # type: ignore[arg-type]
    with pytest.raises(UnknownGpu):
        pictures.svg(gpu, [("a", None)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "error", "why"),
    [
        ([("a", {"1g.5gb": 7})], UnknownProfile, "did you mean '1g.10gb'"),
        ([("a", 7)], InvalidRequest, "profiles must be counted, .* found 7"),
        ([(7, None)], InvalidRequest, r"a row must be a caption and profiles, .* found \(7, None\)"),
        (["a"], InvalidRequest, "a row must be a caption and profiles, .* found 'a'"),
        ([("a", None, None)], InvalidRequest, "a row must be a caption and profiles"),
        (None, InvalidRequest, "rows must be a list .* found None"),
        ("ab", InvalidRequest, "rows must be a list .* found 'ab'"),
    ],
)
def test_malformed_rows_are_refused_with_the_reason(rows: object, error: type[MigError], why: str) -> None:
    with pytest.raises(error, match=why):
        pictures.svg("H100-80GB", rows)  # type: ignore[arg-type]
