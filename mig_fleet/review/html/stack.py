"""What an update does to one stack: a section with everything that changes, and nothing else."""

from collections.abc import Iterable
from itertools import groupby
from xml.etree.ElementTree import Element

from mig_fleet.review.html.amounts import amounts
from mig_fleet.review.html.elements import each, element
from mig_fleet.review.html.picture import legend
from mig_fleet.review.html.pods import losing_pods, stranded_pods
from mig_fleet.review.html.pool import pool
from mig_fleet.review.html.tables import table
from mig_fleet.review.html.verdict import verdict
from mig_fleet.review.review import Review
from mig_fleet.review.steps import format_duration
from mig_fleet.review.verdict import format_others


def stack(review: Review, anchor: str) -> Element:
    """The section of a stack. ``anchor`` is its id."""
    return element(
        "section",
        element("h2", review.name, id=f"{anchor}-name"),
        verdict(review),
        *_part("Why it is refused", _list(review.refusals)),
        *_part("Errors of the preview", _list(_more_errors(review))),
        *_part("Policies", _policies(review)),
        *_part("Nodes and GPUs", _pools(review)),
        *_part("Pods that lose their slices", losing_pods(review.waves)),
        *_part("Pods that would find no free slice", stranded_pods(review.waves)),
        *_part("Capacity and cost", amounts(review)),
        *_part("Drift in the layout file and other objects", _list(review.drift)),
        *_part("What the update does, in order", _course(review)),
        *_part("How to undo it", _list(review.undo)),
        *_part("Other changes", _list(_others(review))),
        *_part("Warnings", _list(review.warnings)),
        _policies_read(review),
        id=anchor,
        aria_labelledby=f"{anchor}-name",
    )


def _part(heading: str, content: Iterable[Element]) -> list[Element]:
    """A heading and its content; nothing without content."""
    found = list(content)
    return [element("h3", heading), *found] if found else []


def _list(lines: Iterable[str]) -> list[Element]:
    rows = each("li", lines)
    return [element("ul", *rows)] if rows else []


def _more_errors(review: Review) -> list[str]:
    """Those that are not among the refusals already."""
    refusals = "\n".join(review.refusals)
    return [error for error in review.errors if error not in refusals]


def _policies(review: Review) -> list[Element]:
    rows = [
        (("denied" if result.denies else "warned"), result.policy, result.resource, result.message)
        for result in sorted(review.policies, key=lambda result: not result.denies)
    ]
    return [table(("result", "policy", "resource", "what it found"), rows)] if rows else []


def _policies_read(review: Review) -> Element | None:
    if review.policies:
        return None
    if review.policies_known:
        return element("p", "Policies: none is violated.", class_="quiet")
    option = element("code", "--events")
    return element("p", "Policies: not known, no event log was read (", option, ").", class_="quiet")


def _pools(review: Review) -> list[Element]:
    pools = groupby(review.waves, key=lambda wave: wave.pool)
    found = [part for name, waves in pools for part in pool(name, list(waves))]
    if kinds := {box.get("class", "") for part in found for box in part.iter("rect")}:
        found.insert(0, legend(kinds))
    if review.waiting:
        found.append(element("p", f"Waves that wait for a later update: {review.waiting}."))
    return found


def _course(review: Review) -> list[Element]:
    if not review.steps:
        return []
    steps = element("ol", *each("li", review.steps))
    if not (time := review.estimate):
        return [steps]
    least, most = format_duration(time.least_s), format_duration(time.most_s)
    text = f"About {least}, at most {most}. Basis: {time.basis}."
    return [steps, element("p", text, class_="quiet")]


def _others(review: Review) -> list[str]:
    return [*(format_others([others]) for others in review.others), *review.notes]
