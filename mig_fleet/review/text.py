"""Reviews as plain text, for a terminal and a log."""

from collections.abc import Iterator, Sequence

from mig_fleet.review.pictures import layout_lines
from mig_fleet.review.pods import disturbed_pods
from mig_fleet.review.review import Outcome, Review, Wave
from mig_fleet.review.steps import format_duration
from mig_fleet.review.verdict import format_others


def to_text(reviews: Sequence[Review]) -> str:
    """Everything, without a bound."""
    return "\n".join("\n".join(_lines(review)) + "\n" for review in reviews)


def _lines(review: Review) -> Iterator[str]:
    yield f"{review.name} {review.verdict}"
    if review.outcome is Outcome.REFUSED:
        yield from _section("refused because", review.refusals)
    for title, found in (
        ("errors", review.errors),
        ("policies", [f"{it.level}: {it.policy}: {it.resource}: {it.message}" for it in review.policies]),
        (
            "pods",
            [
                f"{it.name} ({it.owner or 'no owner'}) on {it.node or 'no node'}: {it.what}"
                for it in disturbed_pods(review)
            ],
        ),
        ("drift", [*review.drift, *(line for wave in review.waves for line in (*wave.drift, *wave.unfinished))]),
        ("warnings", [*review.warnings, *review.notes]),
    ):
        yield from _section(title, found)
    for wave in review.waves:
        yield from _wave(wave)
    amounts = [f"{it.name}: {it.before} → {it.after}" for it in review.capacity if it.before != it.after]
    yield from _section("capacity", amounts)
    if review.cost_after is not None:
        before = "" if review.cost_before is None else f" instead of {review.cost_before:,.2f}"
        yield f"cost per hour: USD {review.cost_after:,.2f}{before if review.cost_before != review.cost_after else ''}"
    yield from _section("what the update does, in order", review.steps)
    if review.waiting:
        yield f"{review.waiting} waves wait for a later update"
    if it := review.estimate:
        yield f"about {format_duration(it.least_s)}, at most {format_duration(it.most_s)}: {it.basis}"
    yield from _section("how to undo it", review.undo)
    if review.others:
        yield f"also: {format_others(review.others)}"


def _wave(wave: Wave) -> Iterator[str]:
    if not (wave.changes or wave.more_touched or wave.missing or wave.is_removed):
        return
    yield f"{wave.name}{f' ({wave.gpu})' if wave.gpu else ''}:"
    for change in wave.changes:
        yield f"  {', '.join(change.nodes)}"
        yield from (f"    {line}" for line in layout_lines(change, wave.gpu) or [change.text])
        if change.whole_node:
            yield f"    the whole node counts: {change.whole_node}"
    if wave.more_touched:
        yield f"  also changed: {', '.join(wave.more_touched)}"
    yield from (f"  {name}: is not in the cluster" for name in wave.missing)
    yield from (f"  {line}" for line in (*wave.resets, *wave.notes))
    if wave.is_removed:
        yield f"  leaves the stack (onDelete: {wave.on_delete}): {', '.join(wave.nodes)}"


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
        yield from (f"  {line}" for line in lines)
