"""The changed resources that are no waves: counted by the part of mig-fleet, or of the program, that they belong to."""

import re
from collections import Counter
from collections.abc import Iterable

from mig_fleet.review.amounts import STACK
from mig_fleet.review.preview import Step
from mig_fleet.review.review import Others
from mig_fleet.review.waves import ASSIGNMENT, VERIFICATION

_FIELDS = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"}
_OURS = "mig-fleet:index:"
_DYNAMIC = "pulumi-python:dynamic/mig:"


def others_of(steps: Iterable[Step]) -> tuple[Others, ...]:
    """By part, sorted. A replacement is one change and not three; a component is none: its children are."""
    counts: dict[str, Counter[str]] = {}
    for step in steps:
        field = _FIELDS.get(step.op)
        if field and step.type not in (STACK, ASSIGNMENT, VERIFICATION) and not step.type.startswith(_OURS):
            counts.setdefault(_part(step), Counter())[field] += 1
    return tuple(Others(part, **numbers) for part, numbers in sorted(counts.items()))


def _part(step: Step) -> str:
    """``monitoring``, ``gpu-operator``, ``supporting-objects``; ``other resources`` if it is not ours."""
    for kind in reversed(step.types):
        for prefix in (_OURS, _DYNAMIC):
            if kind.startswith(prefix):
                return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.removeprefix(prefix)).lower()
    return "other resources"
