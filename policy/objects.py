"""Reads the Kubernetes objects and charts that a program registers, ours or not."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mig_fleet.model.labels import ALERT_RULES, RESOURCE_PREFIX
from mig_fleet.model.resource_types import RESOURCES
from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.config_map_facts import ConfigMapText
from mig_fleet.policies.credential_facts import PlainTexts
from mig_fleet.policies.operand_values import DYNAMIC_MIG
from mig_fleet.policies.program_facts import Workload
from mig_fleet.policy.known import UNKNOWN, each, get, text, texts
from mig_fleet.policy.secret_text import SecretText

CHARTS = {"kubernetes:helm.sh/v3:Release": "values", "kubernetes:helm.sh/v4:Chart": "values"}
CLUSTER_POLICY = "kubernetes:nvidia.com/v1:ClusterPolicy"
"""What the chart makes of its values, with the same keys."""
OPERATOR = "gpu-operator"
DRA_CHART = re.compile("dra-driver-nvidia-gpu|nvidia-dra-driver-gpu")
"""The name of the chart of NVIDIA's DRA driver, and that of earlier releases."""
CONFIG_MAPS = ("kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:ConfigMapPatch")
PROMETHEUS_RULE = "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
PROVIDER = "pulumi:providers:kubernetes"

_WORKLOAD = re.compile(
    r"kubernetes:(?:core|apps|batch)/v1:(Pod|Deployment|StatefulSet|DaemonSet|ReplicaSet|Job|CronJob)(?:Patch)?"
    r"|kubernetes:core/v1:(ReplicationController)(?:Patch)?"
)
_POD_SPEC = {"Pod": ("spec",), "CronJob": ("spec", "jobTemplate", "spec", "template", "spec")}


def read_chart(kind: str, name: str, props: Mapping[str, Any]) -> Iterator[ChartFacts]:
    """The chart of a GPU Operator, or the ClusterPolicy; nothing for any other resource."""
    key = "spec" if kind == CLUSTER_POLICY else CHARTS.get(kind)
    if key is None:
        return
    chart, values = text(props, "chart"), get(props, key)
    is_operator = chart is None or OPERATOR in chart or kind == CLUSTER_POLICY
    if not is_operator and get(values, "migManager") is None:
        return
    version = text(props, "version")
    yield ChartFacts(
        kind=kind.rpartition(":")[2],
        name=name,
        chart=chart,
        version=version,
        config_map=text(values, "migManager", "config", "name"),
        driver_version="" if get(values, "driver", "enabled") is False else text(values, "driver", "version"),
        manager_version=text(values, "migManager", "version"),
        secret=any(
            isinstance(value, SecretText)
            for value in (chart, version, text(values, "driver", "version"), text(values, "migManager", "version"))
        ),
    )


def read_dynamic_mig(kind: str, name: str, props: Mapping[str, Any]) -> Iterator[str]:
    """The label of a chart of NVIDIA's DRA driver or GPU Operator, or of a GPUCluster, that lets the driver partition
    GPUs itself.
    """
    if kind in CHARTS:
        values = get(props, CHARTS[kind])
        chart = text(props, "chart")
        paths: list[tuple[str, ...]] = [("featureGates",)] if chart is None or DRA_CHART.search(chart) else []
        paths += [("draDriver", "featureGates")] if chart is None or OPERATOR in chart else []
    elif kind.startswith("kubernetes:nvidia.com/") and kind.endswith(":GPUCluster"):
        values, paths = get(props, "spec"), [("draDriver", "featureGates")]
    else:
        return
    if any(get(values, *path, DYNAMIC_MIG) is True for path in paths):
        yield f"{kind.rpartition(':')[2]} '{name}'"


def read_texts(kind: str, name: str, props: Mapping[str, Any]) -> Iterator[ConfigMapText]:
    """The known texts of a ConfigMap."""
    data = get(props, "data") if kind in CONFIG_MAPS else None
    for key in data if isinstance(data, Mapping) else ():
        found = get(data, key)
        if isinstance(found, str):
            yield ConfigMapText(name, key, found, isinstance(found, SecretText))


def read_credentials(kind: str, name: str, props: Mapping[str, Any]) -> Iterator[PlainTexts]:
    """The texts of our resources, of charts of the GPU Operator and of Kubernetes providers that no secret protects."""
    label = f"{kind.rpartition(':')[2]} '{name}'"
    if kind == PROVIDER:
        yield PlainTexts(f"Provider '{name}'", (), _plain(texts(get(props, "kubeconfig"), "kubeconfig")))
    elif kind in RESOURCES:
        path = "cluster.kubeconfig"
        yield PlainTexts(label, (), _plain(texts(get(props, "cluster", "kubeconfig"), path)))
    elif any(read_chart(kind, name, props)):
        keys = ("chart", "version", "values", "spec", "repositoryOpts")
        found = _plain((path, value) for key in keys for path, value in texts(get(props, key), key))
        password = "repositoryOpts.password"
        yield PlainTexts(label, found, passwords=tuple(path for path, value in found if path == password and value))


def _plain(found: Iterator[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((path, value) for path, value in found if not isinstance(value, SecretText))


def read_workload(kind: str, name: str, props: Mapping[str, Any]) -> Iterator[Workload]:
    """An object with pods that request MIG resources. The amount may be unknown; the name of the resource never is."""
    found = _WORKLOAD.fullmatch(kind)
    if not found:
        return
    short = found[1] or found[2]
    spec = get(props, *_POD_SPEC.get(short, ("spec", "template", "spec")))
    containers = (c for key in ("containers", "initContainers") for c in each(get(spec, key)))
    asked = (get(c, "resources", kind) for c in containers for kind in ("limits", "requests"))
    resources = {key for amounts in asked if isinstance(amounts, Mapping) for key in amounts}
    slices = tuple(sorted(key for key in resources if key.startswith(RESOURCE_PREFIX)))
    if slices:
        yield Workload(short, name, slices)


def is_alert_rule(kind: str, props: Mapping[str, Any]) -> bool:
    """Whether a resource has alert rules: ours by their name, and any PrometheusRule."""
    return kind == PROMETHEUS_RULE or (kind in CONFIG_MAPS and get(props, "metadata", "name") == ALERT_RULES)


def offered_by_reference(props: Mapping[str, Any]) -> frozenset[str] | None:
    """What the stack behind a StackReference offers, by its output ``capacity``; None if that is not known."""
    capacity = get(props, "outputs", "capacity")
    if capacity is UNKNOWN:
        return None
    return frozenset(capacity) if isinstance(capacity, Mapping) else frozenset()
