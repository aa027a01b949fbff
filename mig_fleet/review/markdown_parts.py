"""The parts of a comment, from what a reviewer must know to what may be folded away."""

from collections import Counter
from collections.abc import Callable, Sequence
from enum import IntEnum

from mig_fleet.review.markdown_text import cells, code, folded, sentence
from mig_fleet.review.markdown_waves import pool_parts
from mig_fleet.review.pods import DisturbedPod, disturbed_pods
from mig_fleet.review.refusals import DENIED, denial
from mig_fleet.review.review import Outcome, Review
from mig_fleet.review.steps import format_duration
from mig_fleet.review.verdict import format_others


class Detail(IntEnum):
    """How much a comment shows; each one is shorter than the one before."""

    ALL = 0
    FOLDED = 1
    """Pictures and other detail are folded, and lists of nodes are counted."""
    COUNTS = 2
    """Waves are counts; pods are named in one line per owner."""
    LEAST = 3
    """Pods are counted by their owner."""


MAX_ROWS = 40
"""Rows of a table that are shown unfolded."""


def parts(review: Review, detail: Detail) -> list[str]:
    """The parts that have something to show, as Markdown."""
    made: list[Callable[[Review, Detail], str]] = [_refusals, _policies, _pods, _drift, _notices]
    found = [part(review, detail) for part in made]
    if detail < Detail.COUNTS:
        found += pool_parts(review, folds=detail is Detail.FOLDED)
        found += [_amounts(review), _course(review), _undo(review)]
    elif review.waves:
        nodes = sum(len(wave.touched_nodes) for wave in review.waves)
        found.append(f"{len(review.waves)} waves with {nodes} nodes whose GPUs change; the text format lists them.")
    found.append(_others(review))
    return [part for part in found if part]


def _refusals(review: Review, detail: Detail) -> str:
    if review.outcome is not Outcome.REFUSED:
        return ""
    denied = {denial(policy) for policy in review.denials}
    # The denials are a list of their own. An error may be longer than its sentence in the verdict.
    lines = [line for line in review.refusals if line not in denied]
    lines += [error for error in review.errors if error != DENIED and error not in " ".join(review.refusals)]
    listed = [f"- {sentence(line)}" for line in (lines if detail < Detail.LEAST else lines[:20])]
    return "\n".join(["**Refused because**", "", *listed]) if len(lines) + len(denied) > 1 and lines else ""


def _policies(review: Review, detail: Detail) -> str:
    denied = [each for each in review.policies if each.denies]
    warned = [each for each in review.policies if not each.denies]
    found = []
    if denied:
        lines = [f"- {code(each.policy)} on {code(each.resource)}: {sentence(each.message)}" for each in denied]
        found.append("\n".join([f"**Policies that deny it: {len(denied)}**", "", *lines]))
    if warned and detail < Detail.COUNTS:
        lines = [f"- {code(each.policy)} on {code(each.resource)}: {sentence(each.message)}" for each in warned]
        found.append(folded(f"Policies that warn: {len(warned)}", "\n".join(lines)))
    elif warned:
        found.append(f"Policies that warn: {len(warned)}.")
    return "\n\n".join(found)


def _pods(review: Review, detail: Detail) -> str:
    """Every pod that loses its slices, or finds none."""
    pods, rest = disturbed_pods(review), _unnamed(review)
    if not pods and not rest:
        return ""
    title = f"**Pods that lose their slices or find none: {len(pods)}**"
    if detail is Detail.LEAST:
        owners = Counter(pod.owner or pod.name for pod in pods)
        lines = [f"- {code(owner)}: {n}" for owner, n in owners.most_common(200)]
        others = len(owners) - 200
        lines += [f"- and {others} more owners"] if others > 0 else []
        return "\n".join([title, "", *lines]) + rest
    if detail is Detail.COUNTS:
        by_owner: dict[str, list[DisturbedPod]] = {}
        for pod in pods:
            by_owner.setdefault(f"{pod.owner or 'no owner'}: {pod.what}", []).append(pod)
        lines = [f"- {sentence(key)}: {' '.join(code(pod.name) for pod in each)}" for key, each in by_owner.items()]
        return "\n".join([title, "", *lines]) + rest
    rows = [cells(code(pod.name), code(pod.owner), code(pod.node), sentence(pod.what)) for pod in pods]
    table = "\n".join([cells("pod", "owner", "node", "what happens"), "|---|---|---|---|", *rows])
    reasons = [f"- {sentence(reason)}: {n} pod{'s' if n != 1 else ''}" for reason, n in _reasons(review).items()]
    table += "\n\n" + "\n".join(["Why no node has slices for them:", "", *reasons]) if reasons else ""
    return f"{title}\n\n{table}{rest}" if len(rows) <= MAX_ROWS else f"{folded(title.strip('*'), table)}{rest}"


def _unnamed(review: Review) -> str:
    """How many more there are; those that find none may be among those that lose their slices."""
    waves = [wave for wave in review.waves if not wave.is_held]
    losing, stranded = sum(wave.more_pods for wave in waves), sum(wave.more_stranded for wave in waves)
    texts = [f"{losing} more lose their slices"] if losing else []
    texts += [f"{stranded} more find none"] if stranded else []
    return f"\n\nThe preview counts more pods than it names: {', '.join(texts)}." if texts else ""


def _reasons(review: Review) -> dict[str, int]:
    return dict(Counter(pod.reason for wave in review.waves for pod in wave.stranded if pod.reason))


def _drift(review: Review, detail: Detail) -> str:
    lines = [*review.drift, *(line for wave in review.waves for line in (*wave.drift, *wave.unfinished))]
    if not lines:
        return ""
    title = f"Drift and unfinished nodes: {len(lines)}"
    if detail >= Detail.COUNTS:
        return f"{title}."
    text = "\n".join(f"- {sentence(line)}" for line in lines)
    return f"**{title}**\n\n{text}" if len(lines) <= 10 and detail is Detail.ALL else folded(title, text)


def _notices(review: Review, detail: Detail) -> str:
    lines = [*review.warnings, *review.notes, *(note for wave in review.waves for note in wave.notes)]
    if detail >= Detail.COUNTS or not lines:
        return f"Warnings and notes: {len(lines)}." if lines else ""
    return folded(f"Warnings and notes: {len(lines)}", "\n".join(f"- {sentence(line)}" for line in lines))


def _amounts(review: Review) -> str:
    changed = [each for each in review.capacity if each.before != each.after]
    found = []
    if changed:
        rows = [
            cells(
                code(each.name),
                str(each.before),
                str(each.after),
                f"{each.after - each.before:+d}",
                _price(review, each.name),
            )
            for each in changed
        ]
        heads = cells("capacity", "before", "after", "change", "USD per hour of one slice")
        found.append("\n".join([heads, "|---|--:|--:|--:|---|", *rows]))
    before, after = review.cost_before, review.cost_after
    if after is not None and (changed or before != after):
        found.append(f"Cost per hour: USD {after:,.2f}{_before(before, after)}.")
    return "\n\n".join(found)


def _before(before: float | None, after: float) -> str:
    return "" if before is None else ", as before" if before == after else f" instead of {before:,.2f}"


def _price(review: Review, resource: str) -> str:
    before, after = review.cost_slices.get(resource, (None, None))
    shown = [f"{price:,.3f}" for price in (before, after) if price is not None]
    return " → ".join(dict.fromkeys(shown)) or "–"


def _course(review: Review) -> str:
    if not review.steps:
        return ""
    lines = [f"{number}. {sentence(step)}" for number, step in enumerate(review.steps, 1)]
    title = f"What the update {'would do' if review.outcome is Outcome.REFUSED else 'does'}, in order"
    if review.waiting:
        lines.append(f"\n{review.waiting} waves wait for a later update.")
    if it := review.estimate:
        least, most = format_duration(it.least_s), format_duration(it.most_s)
        title += f": about {least}, at most {most}"
        lines.append(f"\nBasis: {sentence(it.basis)}.")
    return folded(title, "\n".join(lines))


def _undo(review: Review) -> str:
    lines: Sequence[str] = review.undo
    return folded("How to undo it", "\n".join(f"- {sentence(line)}" for line in lines)) if lines else ""


def _others(review: Review) -> str:
    texts = [f"Also: {sentence(format_others(review.others))}."] if review.others else []
    if review.waves and not review.policies_known:
        texts.append("Policies: not known, no event log was read (`--events`).")
    elif review.policies_known and not review.policies:
        texts.append("Policies: none is violated.")
    return " ".join(texts)
