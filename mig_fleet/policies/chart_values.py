"""The chart values that mig-fleet needs, and the user's own beside them; pure.

Tolerations are joined, because nodes may have taints of their own. Everything else that both sides say must be the
same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mig_fleet.model import labels

Values = dict[str, Any]

TOLERATIONS = "daemonsets.tolerations"
REASONS = {
    "mig.strategy": "remove the value; the other strategies do not tell slices apart",
    "dcgmExporter.config.name": "remove the value; dcgm-exporter reads the list of metrics that mig-fleet writes",
}
"""Why a value is as it is, and what helps."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A chart value of the user's that cannot be, where it stands below ``operator.values``, and why."""

    path: str
    given: object
    text: str


class ContradictingValue(ValueError):
    """Chart values of the user's that cannot be; ``contradictions`` holds them all."""

    def __init__(self, contradictions: tuple[Contradiction, ...]) -> None:
        super().__init__(contradictions)
        self.contradictions = contradictions

    def __str__(self) -> str:
        return "\n".join(f"operator.values.{it.path}: {it.text} (found {it.given!r})" for it in self.contradictions)


def derived_values(strategy: str, metrics: Any = None) -> Values:
    """The chart values that mig-fleet needs (gpu-operator v26.7.0, values.yaml).

    ``metrics`` is the name of the ConfigMap with dcgm-exporter's metrics list: an output of Pulumi's in a program,
    ``None`` where it is not known yet.
    """
    return {
        "mig": {"strategy": strategy},
        "migManager": {
            "enabled": True,
            "config": {"create": False, "name": labels.LAYOUTS_CONFIG_MAP, "default": labels.ALL_DISABLED},
        },
        "dcgmExporter": {"config": {"create": False, "name": metrics}},
        # Without ours the device plugin would never return to a node tainted for a change, nor come to a new one.
        "daemonsets": {
            "tolerations": [
                {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
                *({"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in labels.OUR_TAINTS),
            ]
        },
    }


def contradictions(derived: Values, given: Mapping[str, Any]) -> tuple[Contradiction, ...]:
    """Every place where the user's values cannot stand beside the derived ones."""
    return tuple(_contradictions(derived, given, ""))


def merged(derived: Values, given: Mapping[str, Any]) -> Values:
    """Both trees in one; raises :class:`ContradictingValue` where they cannot be."""
    if found := contradictions(derived, given):
        raise ContradictingValue(found)
    return _merged(derived, given)


def _contradictions(derived: Values, given: Mapping[str, Any], above: str) -> Iterator[Contradiction]:
    for key in (key for key in derived if key in given):
        ours, theirs, path = derived[key], given[key], f"{above}{key}"
        if isinstance(ours, dict) and isinstance(theirs, Mapping):
            yield from _contradictions(ours, theirs, f"{path}.")
        elif path == TOLERATIONS:
            if not isinstance(theirs, list) or not all(isinstance(each, Mapping) for each in theirs):
                text = "should be a list of tolerations; those that mig-fleet needs are added to it"
                yield Contradiction(path, theirs, text)
        elif isinstance(ours, dict):
            yield Contradiction(path, theirs, "should be a mapping, because mig-fleet adds values of its own to it")
        elif ours != theirs:
            needed = f"must be {ours!r}" if isinstance(ours, str | bool) else "cannot be chosen"
            yield Contradiction(path, theirs, f"{needed}; {REASONS.get(path, 'remove the value')}")


def _merged(derived: Values, given: Mapping[str, Any]) -> Values:
    result = {**derived, **{key: value for key, value in given.items() if key not in derived}}
    for key in given.keys() & derived.keys():
        ours, theirs = derived[key], given[key]
        if isinstance(ours, dict):
            result[key] = _merged(ours, theirs)
        elif isinstance(ours, list):
            result[key] = [*theirs, *(each for each in ours if each not in theirs)]
    return result
