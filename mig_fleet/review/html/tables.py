"""Tables. They scroll for themselves on a narrow screen; the keyboard reaches them."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from mig_fleet.review.html.elements import Child, element


def table(heads: Sequence[str], rows: Iterable[Sequence[Child]], numbers: Iterable[int] = ()) -> Element:
    """Rows with a heading each, their first cell. ``numbers`` are the columns that are aligned to the right."""
    right = set(numbers)
    style = {column: "number" if column in right else None for column in range(len(heads))}
    top = [element("th", head, scope="col", class_=style[column]) for column, head in enumerate(heads)]
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell, class_=style[column]) for column, cell in enumerate(row[1:], start=1)),
        )
        for row in rows
    ]
    return scrolling(
        element("table", element("thead", element("tr", *top)), element("tbody", *body)), f"Table: {', '.join(heads)}"
    )


def scrolling(content: Element, label: str) -> Element:
    """The content in a box that scrolls sideways, also by keyboard."""
    return element("div", content, class_="scroll", role="region", tabindex=0, aria_label=label)
