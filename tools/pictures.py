"""The pictures of the documentation, drawn from recorded previews and series, the catalog and the rule of waves: ``make
pictures`` writes them.
"""

from pathlib import Path
from textwrap import wrap
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from mig_fleet.review.html.elements import element
from mig_fleet.review.html.page import style
from mig_fleet.review.html.picture import LETTER, picture
from mig_fleet.review.html.pool import alike
from mig_fleet.review.preview import read_previews
from mig_fleet.review.reader import review_all
from mig_fleet.review.review import NodeChange, Review
from tools.concept_pictures import concept_pictures

ROOT = Path(__file__).parent.parent
PREVIEW = ROOT / "tests" / "review" / "previews" / "one-gpu.json"
FOLDER = ROOT / "docs" / "pictures"
LINE, MARGIN = 20, 16
"""Pixels: height of a line of text, border."""


def pictures() -> dict[Path, str]:
    """The text of each file. The same previews give the same texts."""
    from tools.monitoring_picture import monitoring_pictures  # matplotlib takes half a second

    (review,) = review_all(read_previews(PREVIEW.name, PREVIEW.read_text("utf-8")))
    monitoring = {FOLDER / f"monitoring-{theme}.svg": text for theme, text in monitoring_pictures().items()}
    concepts = {FOLDER / f"{name}.svg": text for name, text in concept_pictures().items()}
    return {FOLDER / "review.svg": review_picture(review), **monitoring, **concepts}


def review_picture(review: Review) -> str:
    """The verdict, and the GPUs before and after the changes as on the page of the review."""
    figures = [_figure(model, change) for model, change in alike(review.waves) if change.gpus]
    width = 2 * MARGIN + max(int(drawn.get("width", 0)) for _, drawn in figures)
    verdict = wrap(review.verdict[:1].upper() + review.verdict[1:], int((width - 2 * MARGIN) / LETTER))
    parts = [_line(line, "slice", MARGIN + LINE * number) for number, line in enumerate(verdict, start=1)]
    bottom = MARGIN + LINE * len(verdict)
    for caption, drawn in figures:
        drawn.attrib |= {"x": str(MARGIN // 2), "y": str(bottom + 2 * LINE)}
        parts += [_line(caption, "state", bottom + 2 * LINE - 4), drawn]
        bottom += 2 * LINE + int(drawn.get("height", 0))
    height = bottom + MARGIN // 2
    image = element(
        "svg",
        element("title", f"Review of {review.name}"),
        _style(),
        element("rect", x=1, y=1, width=width - 2, height=height - 2, rx=8, class_="paper"),
        *parts,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )
    return f"{ElementTree.tostring(image, encoding='unicode')}\n"


def _figure(model: str, change: NodeChange) -> tuple[str, Element]:
    """The caption and the picture."""
    nodes = ", ".join(change.nodes)
    return f"{nodes} · {model}", picture(model, change.gpus, f"GPUs of {nodes} before and after")


def _line(text: str, kind: str, y: int) -> Element:
    return element("text", text, x=MARGIN, y=y, class_=f"line {kind}")


def _style() -> Element:
    made = Element("style")
    made.text = (
        f"{style('theme', 'picture')}svg .paper {{ fill: var(--paper); }}\nsvg .line {{ text-anchor: start; }}\n"
    )
    return made


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in pictures().items():
        path.write_text(text, "utf-8")
        print(path.relative_to(ROOT))
