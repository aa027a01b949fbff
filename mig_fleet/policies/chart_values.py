"""The values of the GPU Operator's chart that mig-fleet needs, and how a user's own values are merged with them. Pure.

Lists of tolerations are joined, because nodes may have taints of the user's. Any other value that both sides set must
be equal. `stack_file` checks the values and `components` merges them; both import this module, because `stack_file`
must not import `components`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mig_fleet.model import labels
from mig_fleet.model.finding import Finding
from mig_fleet.model.short_repr import format_found

Values = dict[str, Any]

PREFIX = "operator.values"
"""The path of the user's values in a stack file."""
TOLERATIONS = "daemonsets.tolerations"
REMEDIES = {
    "mig.strategy": "remove the value; the other strategies do not distinguish slices of different profiles",
    "dcgmExporter.config.name": "remove the value; dcgm-exporter reads the list of metrics that mig-fleet writes",
}
"""Chart value → what to do, and why mig-fleet needs its own value."""


class ContradictingValue(ValueError):
    """Chart values of the user that contradict those that mig-fleet needs; ``contradictions`` holds all of them."""

    def __init__(self, contradictions: tuple[Finding, ...]) -> None:
        super().__init__(contradictions)
        self.contradictions = contradictions

    def __str__(self) -> str:
        return "\n".join(map(str, self.contradictions))


def derived_values(strategy: str, metrics: Any = None) -> Values:
    """The chart values that mig-fleet needs (gpu-operator v26.7.0, values.yaml).

    ``metrics`` is the name of the ConfigMap with dcgm-exporter's list of metrics: an output in a Pulumi program, None
    if it is not known yet.
    """
    return {
        "mig": {"strategy": strategy},
        "migManager": {
            "enabled": True,
            "config": {"create": False, "name": labels.LAYOUTS_CONFIG_MAP, "default": labels.ALL_DISABLED},
        },
        "dcgmExporter": {"config": {"create": False, "name": metrics}},
        # Without our tolerations the device plugin would never return to a node that is tainted for a change, and would
        # never start on a new node.
        "daemonsets": {
            "tolerations": [
                {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
                *({"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in labels.OUR_TAINTS),
            ]
        },
    }


def contradictions(derived: Values, given: Mapping[str, Any], *, secret: bool = False) -> tuple[Finding, ...]:
    """Every value of the user that contradicts a derived value, at its path in the stack file.

    The text includes the user's value, unless it is ``secret``.
    """
    return tuple(
        Finding(f"{PREFIX}.{path}", text if secret else f"{text}{format_found(value)}")
        for path, value, text in _contradictions(derived, given, "")
    )


def merged(derived: Values, given: Mapping[str, Any]) -> Values:
    """Both sets of values as one; raises :class:`ContradictingValue`."""
    if found := contradictions(derived, given):
        raise ContradictingValue(found)
    return _merged(derived, given)


def _contradictions(derived: Values, given: Mapping[str, Any], above: str) -> Iterator[tuple[str, object, str]]:
    """The path below ``operator.values``, the user's value, and what is wrong with it."""
    for key in (key for key in derived if key in given):
        ours, theirs, path = derived[key], given[key], f"{above}{key}"
        if isinstance(ours, dict) and isinstance(theirs, Mapping):
            yield from _contradictions(ours, theirs, f"{path}.")
        elif path == TOLERATIONS:
            if not isinstance(theirs, list) or not all(isinstance(each, Mapping) for each in theirs):
                yield path, theirs, "must be a list of tolerations; mig-fleet adds the tolerations that it needs"
        elif isinstance(ours, dict):
            yield path, theirs, "must be a mapping, because mig-fleet adds its own values to it"
        elif ours != theirs:
            required = f"must be {ours!r}" if isinstance(ours, str | bool) else "cannot be set"
            yield path, theirs, f"{required}; {REMEDIES.get(path, 'remove the value')}"


def _merged(derived: Values, given: Mapping[str, Any]) -> Values:
    result = {**derived, **{key: value for key, value in given.items() if key not in derived}}
    for key in given.keys() & derived.keys():
        ours, theirs = derived[key], given[key]
        if isinstance(ours, dict):
            result[key] = _merged(ours, theirs)
        elif isinstance(ours, list):
            result[key] = [*theirs, *(each for each in ours if each not in theirs)]
    return result
