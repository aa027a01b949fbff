"""Advice as JSON."""

from collections.abc import Sequence

from mig_fleet.advice.group_advice import GroupAdvice
from mig_fleet.advice.layout_advice import LayoutAdvice
from mig_fleet.advice.needs import Needs
from mig_fleet.advice.replacement import Replacement
from mig_fleet.advice.sizing import Sizing
from mig_fleet.advice.stack_text import StackText
from mig_fleet.advice.window import Window
from mig_fleet.cli.outputs import advise as output
from mig_fleet.model.layouts import GpuGroup


def to_json(
    path: str, window: Window, advice: Sequence[LayoutAdvice], text: StackText, warnings: Sequence[str]
) -> output.Advice:
    """What :mod:`~mig_fleet.cli.advise_text` prints, as data."""
    return output.Advice(
        stack_file=path,
        window=str(window),
        layouts=tuple(_layout_json(each, text) for each in advice),
        diff=text.diff,
        warnings=tuple(warnings),
    )


def _layout_json(advice: LayoutAdvice, text: StackText) -> output.LayoutAdvice:
    after, name = advice.after, advice.layout.name
    return output.LayoutAdvice(
        layout=name,
        gpu=advice.layout.gpu,
        pools=tuple(each.pool for each in advice.members),
        nodes=advice.nodes,
        gpus=advice.gpus,
        findings=tuple(_finding(advice, group, sizing) for group in advice.groups for sizing in group.sizings),
        after=tuple(map(_group, after.groups)) if after else None,
        in_diff=after is not None and name not in text.not_edited,
        saved_gpus=advice.saved_gpus,
        saved_per_hour_usd=advice.saved_usd,
    )


def _finding(advice: LayoutAdvice, group: GroupAdvice, sizing: Sizing) -> output.Finding:
    use, needs, new = sizing.use, sizing.needs, sizing.replacement
    return output.Finding(
        gpus=group.group.devices,
        profile=sizing.profile,
        slices=use.slices,
        outcome=str(sizing.outcome),
        reason=sizing.reason,
        confidence=str(sizing.confidence),
        coverage=use.coverage,
        reported=use.reported,
        busy=use.busy,
        bandwidth=use.bandwidth,
        memory_bytes=use.memory,
        preallocated=use.preallocated,
        needs=_needs(needs) if needs else None,
        replacement=_replacement(advice, new) if new else None,
    )


def _needs(needs: Needs) -> output.Needs:
    return output.Needs(compute=needs.compute, bandwidth=needs.bandwidth, memory_bytes=needs.memory)


def _replacement(advice: LayoutAdvice, new: Replacement) -> output.Replacement:
    return output.Replacement(profile=new.profile, count=new.count, resource=advice.resource_of(new.profile))


def _group(group: GpuGroup) -> output.Group:
    return output.Group(gpus=group.devices, profiles=None if group.profiles is None else dict(group.profiles))
