"""Pictures: aligned to memory slices, readable without colour."""

from xml.etree import ElementTree

import pytest

from mig import gpus, maximal, pictures, prove

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("cut", "row"),
    [
        ({"1g.10gb": 7}, "[1g][1g][1g][1g][1g][1g][1g] ·  "),
        ({"3g.40gb": 2}, "[      3g      ][      3g      ]"),
        ({"4g.40gb": 1, "2g.20gb": 1, "1g.10gb": 1}, "[      4g      ][  2g  ][1g] ·  "),
        ({"1g.20gb": 4}, "[  1g  ][  1g  ][  1g  ][  1g  ]"),
        (None, "[          whole GPU           ]"),
        ({"4g.40gb": 2}, "2 × 4g.40gb (impossible)"),
    ],
)
def test_a_gpu_in_the_terminal(cut: dict[str, int] | None, row: str) -> None:
    assert pictures.row("H100-80GB", cut) == row


def test_longer_names_widen_every_slice_alike() -> None:
    assert pictures.row("H100-80GB", {"1g.10gb+me": 1, "3g.40gb": 1}) == (
        "   ·      ·      ·   [1g+me][            3g            ]"
    )
    assert "[ 1g.10gb]" not in pictures.row("H100-80GB", {"1g.10gb": 7}, full_names=True)
    assert pictures.row("H100-80GB", {"1g.10gb": 7}, full_names=True).startswith("[1g.10gb][1g.10gb]")


def test_every_maximal_layout_of_every_model_is_as_wide_as_its_gpu() -> None:
    for model in gpus.all_models():
        for layout in maximal(model):
            row = pictures.row(model, layout)
            assert len(row) % model.memory_slices == 0
            assert row.count("[") == sum(layout.values())


def test_a_proof_around_kept_instances_can_be_drawn() -> None:
    kept = prove("H100-80GB", {"3g.40gb": 1}).placements
    assert pictures.row("H100-80GB", prove("H100-80GB", {"1g.10gb": 1}, keep=kept)) == (
        " ·   ·   ·  [1g][      3g      ]"
    )


def test_an_svg_draws_each_instance_where_it_stands() -> None:
    rows = [("GPU 0-3", {"3g.40gb": 1, "2g.20gb": 1}), ("GPU 4", None), ("GPU 5", {"4g.40gb": 2})]
    text = pictures.svg("H100-80GB", rows)
    assert text == pictures.svg("H100-80GB", rows)
    groups = ElementTree.fromstring(text).findall(f"{SVG}g")
    words = [[element.text for element in group.findall(f"{SVG}text")] for group in groups]
    assert words == [["GPU 0-3", "2g.20gb", "3g.40gb"], ["GPU 4", "whole GPU, MIG off"], ["GPU 5", "impossible"]]
    boxes = groups[0].findall(f"{SVG}rect")
    assert len(boxes) == 2 + 2, "two instances and two free slices"
    assert float(boxes[1].get("width", 0)) > 2 * float(boxes[0].get("width", 0)) - 5


def test_an_svg_escapes_what_people_write() -> None:
    text = pictures.svg("H100-80GB", [("<a & b>", None)])
    assert ElementTree.fromstring(text).findtext(f"{SVG}g/{SVG}text") == "<a & b>"
