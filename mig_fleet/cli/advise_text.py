"""Advice as text."""

from collections.abc import Iterator, Sequence

from mig_fleet.advice.group_advice import GroupAdvice
from mig_fleet.advice.layout_advice import LayoutAdvice
from mig_fleet.advice.needs import MIB
from mig_fleet.advice.sizing import Sizing
from mig_fleet.advice.stack_text import StackText
from mig_fleet.advice.window import Window
from mig_fleet.foreign_text import printable
from mig_fleet.model.formatting import format_profiles, format_ranges
from mig_fleet.model.imports.stack_file import stack_file

GIB = 1024 * MIB
LONGEST_LINE = 10_000
"""Characters of a line about many pools."""


def lines(
    path: str, window: Window, advice: Sequence[LayoutAdvice], text: StackText, warnings: Sequence[str]
) -> Iterator[str]:
    """The findings of each layout and what follows; then the diff. All printable, but for the tabs of the diff."""
    yield f"Advice about {printable(path)} by the last {window}; nothing is changed"
    for warning in warnings:
        yield f"  Prometheus warns: {warning}"
    for each in advice:
        yield ""
        yield from (printable(line, LONGEST_LINE) for line in _layout(each))
    if not advice:
        yield "No pool has a layout with slices."
    for each in advice:
        if each.layout.name in text.not_edited and each.after:
            why = "is written with aliases or spellings that no edit is sure to keep; what it must mean"
            yield f"\nThe layout {printable(each.layout.name)} {why}:\n"
            yield stack_file([each.after]).rstrip()
    if text.diff:
        yield "\nReview this diff of the stack file; `patch -p0` applies it, and `pulumi preview` shows what it does:\n"
        yield text.diff.rstrip("\n")


def _layout(advice: LayoutAdvice) -> Iterator[str]:
    pools = ", ".join(each.pool for each in advice.members)
    size = f"{_count(advice.nodes, 'node')}, {_count(advice.gpus, 'GPU')}"
    yield f"{advice.layout.name}  {advice.layout.gpu}; {pools}: {size}"
    for group in advice.groups:
        yield from (line for sizing in group.sizings for line in _sizing(advice, group, sizing))
    if advice.after:
        usd = "" if advice.saved_usd is None else f", ${advice.saved_usd:.2f} per hour"
        yield f"  saves {advice.saved_gpus:.2f} of {_count(advice.gpus, 'GPU')} for the same number of slices{usd}"
        if advice.saved_usd is None:
            yield f"  {advice.layout.gpu} has no price in the stack file"


def _sizing(advice: LayoutAdvice, group: GroupAdvice, sizing: Sizing) -> Iterator[str]:
    count = (group.group.profiles or {})[sizing.profile]
    now = format_profiles({sizing.profile: count})
    yield f"  {_gpus(group)}: {now}  {sizing.outcome}, confidence {sizing.confidence}: {sizing.reason}"
    yield f"    {'; '.join(_measured(sizing))}"
    if new := sizing.replacement:
        after, resource = format_profiles({new.profile: new.count}), advice.resource_of(new.profile)
        yield f"    change to {after}, which is proven to fit; pods must then request {resource}"


def _measured(sizing: Sizing) -> Iterator[str]:
    use, needs = sizing.use, sizing.needs
    yield f"{_count(use.slices, 'slice')}, coverage {use.coverage:.0%}"
    shares = {"compute": use.busy, "bandwidth": use.bandwidth}
    if parts := [f"{share:.0%} of its {name}" for name, share in shares.items() if share is not None]:
        yield f"95 % of the time a slice uses at most {' and '.join(parts)}"
    if use.memory is not None:
        yield f"at most {use.memory / GIB:.1f} GiB of memory"
    if needs is not None:
        slices = f"{_count(needs.compute, 'compute slice')}, {_count(needs.bandwidth, 'memory slice')}"
        yield f"with headroom it needs {slices}, {needs.memory / GIB:.1f} GiB"


def _gpus(group: GroupAdvice) -> str:
    devices = group.group.devices
    return "each GPU" if devices is None else f"GPU {format_ranges(devices)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
