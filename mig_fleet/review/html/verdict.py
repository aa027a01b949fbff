"""The sentence that a reviewer reads first."""

from xml.etree.ElementTree import Element

from mig_fleet.review.html.elements import element
from mig_fleet.review.review import Outcome, Review

SIGNS = {
    Outcome.REFUSED: "✕",
    Outcome.CHANGES: "●",
    Outcome.REPAIRS: "↻",
    Outcome.OTHERS: "○",
    Outcome.NOTHING: "✓",
}


def verdict(review: Review, name: Element | None = None) -> Element:
    """A sign of the outcome and the sentence; after the name of the stack, if there is one."""
    sign = element("strong", SIGNS[review.outcome], aria_hidden="true")
    between = ": " if name is not None else None
    sentence = review.verdict[:1].upper() + review.verdict[1:]
    return element("p", sign, " ", name, between, sentence, class_=f"verdict {review.outcome}")
