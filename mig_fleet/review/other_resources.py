"""The changed resources that are no waves: counted by the part of mig-fleet, or of the program, that they belong to."""

import re
from collections import Counter
from collections.abc import Iterable

from mig_fleet.model.resource_types import COMPONENT, DYNAMIC, WAVES, is_component
from mig_fleet.review.amounts import STACK
from mig_fleet.review.preview import Step
from mig_fleet.review.review import Others

_FIELDS = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"}


def others_of(steps: Iterable[Step]) -> tuple[Others, ...]:
    """By part, sorted. A replacement is one change and not three; a component is none: its children are."""
    counts: dict[str, Counter[str]] = {}
    for step in steps:
        field = _FIELDS.get(step.op)
        if field and step.type not in {STACK, *WAVES} and not is_component(step.type):
            counts.setdefault(_part(step), Counter())[field] += 1
    return tuple(Others(part, **numbers) for part, numbers in sorted(counts.items()))


def _part(step: Step) -> str:
    """``monitoring``, ``gpu-operator``, ``supporting-objects``; ``other resources`` if it is not ours."""
    for kind in reversed(step.types):
        for prefix in (COMPONENT, DYNAMIC):
            if kind.startswith(prefix):
                return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.removeprefix(prefix)).lower()
    return "other resources"
