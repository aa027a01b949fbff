"""Elements of HTML and SVG. Text and attributes are escaped when they are written, so no name can become an element."""

from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from mig_fleet.foreign_text import printable

LONGEST = 4000
"""Characters of one text."""

Child = Element | str | None


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """An element. None leaves a child or an attribute out; ``class_`` is ``class``, ``aria_label`` is ``aria-label``.

    >>> write(element("p", "a < ", element("b", "c"), class_="d"))
    '<p class="d">a &lt; <b>c</b></p>'
    """
    made = Element(tag, {_name(name): _text(value) for name, value in attributes.items() if value is not None})
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif child and len(made):
            made[-1].tail = (made[-1].tail or "") + _text(child)
        elif child:
            made.text = (made.text or "") + _text(child)
    return made


def each(tag: str, children: Iterable[Child]) -> list[Element]:
    """Every child in an element of its own."""
    return [element(tag, child) for child in children]


def write(root: Element) -> str:
    """The element as HTML."""
    return ElementTree.tostring(root, encoding="unicode", method="html")


def _name(argument: str) -> str:
    return argument.rstrip("_").replace("_", "-")


def _text(value: object) -> str:
    """Without characters that are not visible: HTML has no escape for some, and UTF-8 none for a surrogate."""
    return printable(value, LONGEST)
