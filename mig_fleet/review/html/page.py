"""The page: the verdict of each stack first, then what each update does."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from xml.etree.ElementTree import Element

from mig_fleet.review.html.elements import element, write
from mig_fleet.review.html.stack import stack
from mig_fleet.review.html.verdict import verdict
from mig_fleet.review.review import Review


def style(*names: str) -> str:
    """The text of style sheets of this package, such as ``theme``."""
    return "".join((files(__package__) / f"{name}.css").read_text("utf-8") for name in names)


def to_html(reviews: Sequence[Review]) -> str:
    """One page about all stacks. The same reviews give the same text."""
    css = style("theme", "picture", "page")
    title = reviews[0].name if len(reviews) == 1 else f"{len(reviews)} stacks"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_security(css)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"mig-fleet review: {title}"),
        _raw_style(css),
    )
    body = element(
        "body",
        element(
            "main",
            element("h1", "mig-fleet review"),
            _contents(reviews) if len(reviews) > 1 else None,
            *(stack(review, f"stack-{number}") for number, review in enumerate(reviews, start=1)),
        ),
    )
    return f"<!doctype html>\n{write(element('html', head, body, lang='en'))}\n"


def _security(css: str) -> str:
    """Nothing is loaded, run or sent, whatever a name might contain; only our own style sheet is applied."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _raw_style(css: str) -> Element:
    """HTML does not escape what is in ``style``."""
    made = Element("style")
    made.text = css
    return made


def _contents(reviews: Sequence[Review]) -> Element:
    rows = [
        element("li", verdict(review, element("a", review.name, href=f"#stack-{number}")))
        for number, review in enumerate(reviews, start=1)
    ]
    return element("nav", element("ul", *rows), aria_label="Stacks")
