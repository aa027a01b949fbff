"""Pictures of GPUs before and after: each slice at its place, and no word outside its box."""

from xml.etree.ElementTree import Element

import pytest

from mig_fleet.model import gpus, maximal
from mig_fleet.review.html.picture import picture
from mig_fleet.review.review import UNKNOWN, GpuChange, Slices

SMALL, LARGE, OFF = Slices({"1g.10gb": 7}), Slices({"3g.40gb": 1, "2g.20gb": 2}), Slices()


def drawn(before: Slices, after: Slices, touched: bool = True, model: str = "H100-80GB") -> Element:
    return picture(model, [GpuChange((0, 1), before, after, touched)], "a title")


def boxes(image: Element) -> list[str | None]:
    return [box.get("class") for box in image.iter("rect")]


def words(image: Element) -> list[str | None]:
    return [text.text for text in image.iter("text")]


@pytest.mark.parametrize(
    ("before", "after", "touched", "kinds", "state"),
    [
        (SMALL, LARGE, True, ["gone"] * 7 + ["new"] * 3, "changed"),
        (SMALL, SMALL, False, ["kept"] * 14, "not touched"),
        (LARGE, LARGE, True, ["gone"] * 3 + ["new"] * 3, "created again"),
        (OFF, SMALL, True, ["gone"] + ["new"] * 7, "changed"),
        (SMALL, Slices({}), True, ["gone"] * 7, "changed"),
        (UNKNOWN, SMALL, True, ["unknown"] + ["new"] * 7, "changed"),
    ],
)
def test_a_box_for_each_slice_shows_what_happens_to_it(
    before: Slices, after: Slices, touched: bool, kinds: list[str], state: str
) -> None:
    image = drawn(before, after, touched)
    assert boxes(image) == kinds
    assert state in words(image)
    assert image.findtext("desc", "").startswith(f"GPU 0-1, {state}: ")


def test_a_layout_that_is_impossible_or_not_in_the_catalog_is_shown_as_words() -> None:
    assert "impossible" in words(drawn(SMALL, Slices({"4g.40gb": 2})))
    assert "7x 9g.90gb" in words(drawn(SMALL, Slices({"9g.90gb": 7})))
    assert "7x 1g.10gb" in words(drawn(SMALL, LARGE, model="<no model>"))


def test_every_word_of_every_layout_of_every_model_is_within_its_box() -> None:
    for model in gpus.all_models():
        for layout in maximal(model):
            image = drawn(Slices(layout), OFF, model=model.short)
            right = float(image.get("width", 0))
            spans = [(float(box.get("x", 0)), float(box.get("width", 0))) for box in image.iter("rect")]
            for text in image.iter("text"):
                middle, half = float(text.get("x", 0)), len(text.text or "") * letter(text) / 2
                assert middle + half <= right
                if text.get("class") in ("slice", "memory"):
                    assert any(x <= middle - half and middle + half <= x + width for x, width in spans), (
                        model,
                        text.text,
                    )


def letter(text: Element) -> float:
    """The width of a letter in pixels: 0.6 em in a monospace font."""
    return 0.6 * (13 if text.get("class") == "slice" else 11)
