"""The values of the GPU Operator's chart that mig-fleet needs, and how a user's own values are merged with them. Pure.

Lists of tolerations and of relabelings are joined, because nodes may have taints of the user's, and targets labels of
the user's. Any other value that both sides set must be equal. `stack_file` checks the values and `components` merges
them; both import this module, because `stack_file` must not import `components`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mig_fleet.model import labels
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.finding import Finding
from mig_fleet.model.short_repr import format_found
from mig_fleet.policies.operand_values import strategies_without_effect, switched_off

Values = dict[str, Any]

PREFIX = "operator.values"
"""The path of the user's values in a stack file."""
TOLERATIONS = "daemonsets.tolerations"
MONITOR = "dcgmExporter.serviceMonitor"
RELABELINGS = f"{MONITOR}.relabelings"
DISCOVERY_TOLERATIONS = "node-feature-discovery.worker.tolerations"
JOINED = {TOLERATIONS: "tolerations", DISCOVERY_TOLERATIONS: "tolerations", RELABELINGS: "relabelings"}
"""Chart value → what the list has that both sides add to."""
REMEDIES = {
    "mig.strategy": "remove the value, and set operator.strategy",
    "dcgmExporter.config.name": "remove the value; dcgm-exporter reads the list of metrics that mig-fleet writes",
    "devicePlugin.enabled": "remove the value, or set operator.allocation to devicePlugin; otherwise the device plugin "
    "and the DRA driver offer the same slices",
    "dcgmExporter.enabled": "remove the value, or set monitoring.serviceMonitor to false",
    f"{MONITOR}.enabled": "remove the value, or set monitoring.serviceMonitor to false",
    f"{MONITOR}.interval": "remove the value, and set monitoring.scrapeInterval",
    f"{MONITOR}.honorLabels": "remove the value; with true, a slice without a pod gets the exporter's own pod, so that "
    "no slice is free",
}
"""Chart value → what to do, and why mig-fleet needs its own value."""

OUR_TOLERATIONS: Final = tuple(
    {"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in (labels.GPU_RESOURCE, *labels.OUR_TAINTS)
)
"""Of NVIDIA's pods: the chart's own one, and those of our taints."""

CONTROL_PLANE: Final = {
    "key": "node-role.kubernetes.io/control-plane",
    "operator": "Equal",
    "value": "",
    "effect": "NoSchedule",
}
"""The chart's other toleration of the worker of Node Feature Discovery; a list of ours replaces the chart's."""

COLLECTORS: Final = "DCGM_EXPORTER_COLLECTORS"
"""The variable that the operator sets to our list; a user's environment is applied after it (object_controls.go)."""

NODE_RELABELING: Final = {
    "sourceLabels": ["__meta_kubernetes_pod_node_name"],
    "regex": "(.*)",
    "targetLabel": "node",
    "replacement": "$1",
    "action": "replace",
}
"""The node of a row, under one name with every version of the exporter."""


@dataclass(frozen=True, slots=True)
class ServiceMonitor:
    """How Prometheus must scrape dcgm-exporter, if mig-fleet declares it.

    The chart's own timeout of 10 s (v26.7.0) must not be longer than the interval.
    """

    interval: int
    """Seconds."""
    labels: Mapping[str, str]
    """Labels by which Prometheus selects it, such as ``release: kube-prometheus-stack``."""


class ContradictingValue(ValueError):
    """Chart values of the user that contradict those that mig-fleet needs; ``contradictions`` holds all of them."""

    def __init__(self, contradictions: tuple[Finding, ...]) -> None:
        super().__init__(contradictions)
        self.contradictions = contradictions

    def __str__(self) -> str:
        return "\n".join(map(str, self.contradictions))


def derived_values(
    strategy: str,
    metrics: Any = None,
    monitor: ServiceMonitor | None = None,
    allocation: AllocatedBy = AllocatedBy.DEVICE_PLUGIN,
) -> Values:
    """The chart values that mig-fleet needs (gpu-operator v26.7.0, values.yaml).

    ``metrics`` is the name of the ConfigMap with dcgm-exporter's list of metrics: an output in a Pulumi program, None
    if it is not known yet. Without ``monitor`` the user's values or the chart's decide whether there is a
    ServiceMonitor, but not which labels it gives to a slice. Under DRA no device plugin may run: it and the DRA driver
    would offer the same slices. The operator's validator then skips its test of the device plugin
    (object_controls.go, TransformValidator).
    """
    exporter: Values = {"config": {"create": False, "name": metrics}}
    scrape: Values = {"honorLabels": False, "relabelings": [NODE_RELABELING]}
    if monitor:
        exporter["enabled"] = True
        scrape |= {"enabled": True, "interval": f"{monitor.interval}s", "additionalLabels": dict(monitor.labels)}
    return {
        "mig": {"strategy": strategy},
        **({"devicePlugin": {"enabled": False}} if allocation is AllocatedBy.DRA else {}),
        "migManager": {
            "enabled": True,
            "config": {"create": False, "name": labels.LAYOUTS_CONFIG_MAP, "default": labels.ALL_DISABLED},
        },
        "dcgmExporter": {**exporter, "serviceMonitor": scrape},
        # Without our tolerations the device plugin would never return to a node that is tainted for a change, and would
        # never start on a new node; and a new node would never get the labels by which the operator finds its GPUs:
        # the subchart of Node Feature Discovery does not read the tolerations of the operator's own pods.
        "daemonsets": {"tolerations": list(OUR_TOLERATIONS)},
        "node-feature-discovery": {"worker": {"tolerations": [CONTROL_PLANE, *OUR_TOLERATIONS]}},
    }


def contradictions(derived: Values, given: Mapping[str, Any], *, secret: bool = False) -> tuple[Finding, ...]:
    """Every value of the user that contradicts a derived value, at its path in the stack file.

    The text includes the user's value, unless it is ``secret``.
    """
    return tuple(
        Finding(f"{PREFIX}.{path}", text if secret else f"{text}{format_found(value)}")
        for path, value, text in (
            *_contradictions(derived, given, ""),
            *_dotted_keys(given),
            *switched_off(given, is_dra="devicePlugin" in derived),
            *_second_lists(given),
            *strategies_without_effect(given, derived["mig"]["strategy"]),
        )
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
        elif path in JOINED:
            if not isinstance(theirs, list) or not all(isinstance(each, Mapping) for each in theirs):
                yield path, theirs, f"must be a list of {JOINED[path]}; mig-fleet adds the {JOINED[path]} that it needs"
            elif path == RELABELINGS:
                yield from _relabeling_problems(theirs)
        elif isinstance(ours, dict):
            yield path, theirs, "must be a mapping, because mig-fleet adds its own values to it"
        elif ours != theirs:
            in_yaml = str(ours).lower() if isinstance(ours, bool) else repr(ours)
            required = f"must be {in_yaml}" if isinstance(ours, str | bool) else "cannot be set"
            yield path, theirs, f"{required}; {REMEDIES.get(path, 'remove the value')}"


def _dotted_keys(given: Mapping[str, Any]) -> Iterator[tuple[str, object, str]]:
    """Keys as the option ``--set`` of Helm has them. In values they are other keys, and no chart reads them."""
    for key in (key for key in given if "." in str(key)):
        steps = str(key).split(".")
        written = ": {".join(steps) + ": …" + "}" * (len(steps) - 1)
        yield key, given[key], f"has no effect as one key; write {written}"


def _relabeling_problems(theirs: list[Mapping[str, Any]]) -> Iterator[tuple[str, object, str]]:
    for number, each in enumerate(theirs):
        path = f"{RELABELINGS}[{number}]"
        for key in (key for key in each if "_" in str(key)):
            first, *rest = str(key).split("_")
            right = first + "".join(map(str.capitalize, rest))
            yield f"{path}.{key}", each[key], f"must be {right}; the API server drops the key as it is written"
        if each.get("targetLabel") in ("job", "node") and each != NODE_RELABELING:
            text = "must be another label; the rules find the exporter by its job, and a slice by its node"
            yield f"{path}.targetLabel", each["targetLabel"], text


def _second_lists(given: Mapping[str, Any]) -> Iterator[tuple[str, object, str]]:
    """An environment that makes the exporter read another list than ours."""
    exporter = given.get("dcgmExporter")
    env = exporter.get("env") if isinstance(exporter, Mapping) else None
    for number, each in enumerate(env if isinstance(env, list) else ()):
        if isinstance(each, Mapping) and each.get("name") == COLLECTORS:
            text = f"cannot be set; remove the value; {REMEDIES['dcgmExporter.config.name'].partition('; ')[2]}"
            yield f"dcgmExporter.env[{number}].name", COLLECTORS, text


def _merged(derived: Values, given: Mapping[str, Any]) -> Values:
    result = {**derived, **{key: value for key, value in given.items() if key not in derived}}
    for key in given.keys() & derived.keys():
        ours, theirs = derived[key], given[key]
        if isinstance(ours, dict):
            result[key] = _merged(ours, theirs)
        elif isinstance(ours, list):
            result[key] = [*theirs, *(each for each in ours if each not in theirs)]
    return result
