"""What a program declares of a fleet that is monitored, as the generators of rules and dashboards read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NotRequired, TypedDict

import pulumi

from mig_fleet.components.layout_args import NamedLayoutArgs
from mig_fleet.components.refused import FleetRefused
from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.exporter import Generation
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.stack_file.exporter import generation
from mig_fleet.stack_file.fleet import Fleet, parse
from mig_fleet.stack_file.monitored_fleet import monitored_fleet
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stack_file.thresholds import thresholds

OF_MONITORING: Final = {
    "dashboards": "dashboards",
    "dashboard_labels": "dashboardLabels",
    "folder": "folder",
    "grafana_instances": "grafanaInstances",
    "rules": "rules",
    "monitor_labels": "monitorLabels",
    "runbooks": "runbooks",
    "exporter_job": "exporterJob",
    "cost_basis": "costBasis",
    "alerts": "alerts",
}
"""Argument of the component → key of the stack file's section ``monitoring``, whose checks apply."""


class MonitoredPoolArgs(TypedDict):
    """A pool as rules and dashboards must know it; its name is that of the pool."""

    layout: NamedLayoutArgs
    """The layout that the pool declares."""
    gpus_per_node: int
    """The number of GPUs of each node."""


class MonitoringArgs(TypedDict):
    """What to generate, and where."""

    namespace: NotRequired[pulumi.Input[str]]
    """Where the GPU Operator runs; it must exist (default: ``gpu-operator``)."""
    pools: Mapping[str, MonitoredPoolArgs]
    """Every pool of the cluster by its name."""
    carried: NotRequired[pulumi.Input[str | None]]
    """The configs that only nodes still have: the output ``carried`` of
    :class:`~mig_fleet.components.layouts.MigLayouts` (default: none)."""
    strategy: NotRequired[str]
    """The device plugin's strategy, ``mixed`` (default) or ``single``."""
    allocation: NotRequired[str]
    """``devicePlugin`` (default), or ``dra``: no kubelet offers slices then, and no alert expects it."""
    prices: NotRequired[Mapping[str, float]]
    """USD per GPU-hour by GPU model; without them there is nothing about cost."""
    chart_version: NotRequired[str]
    """The version of the GPU Operator's chart, which decides the names of dcgm-exporter's fields (default: names that
    every version knows)."""
    dashboards: NotRequired[str]
    """``sidecar`` (default), ``grafanaOperator`` (needs its CustomResourceDefinition) or ``none``."""
    dashboard_labels: NotRequired[Mapping[str, str]]
    """Labels by which Grafana's sidecar finds a dashboard (default: ``grafana_dashboard: "1"``)."""
    folder: NotRequired[str | None]
    """Grafana's folder (default: Grafana's own)."""
    grafana_instances: NotRequired[Mapping[str, str] | None]
    """Labels of the Grafana resources that get the dashboards; needed with ``grafanaOperator``."""
    rules: NotRequired[str]
    """``configMap`` (default), ``prometheusRule`` (needs its CustomResourceDefinition) or ``none``."""
    monitor_labels: NotRequired[Mapping[str, str]]
    """Labels by which Prometheus selects the rules, such as ``release: kube-prometheus-stack``."""
    runbooks: NotRequired[str]
    """The address of the page that alerts link to."""
    exporter_job: NotRequired[str]
    """Regular expression of the label ``job`` that dcgm-exporter's series have."""
    cost_basis: NotRequired[str]
    """What a slice is charged for: ``max`` (default), ``compute`` or ``memory``."""
    alerts: NotRequired[Mapping[str, Any]]
    """When each alert fires, as in a stack file's ``monitoring.alerts``."""


@dataclass(frozen=True, slots=True)
class Monitored:
    """The pools with every config that a node may have, and the choices that follow from them."""

    fleet: pulumi.Input[MonitoredFleet]
    generation: Generation = Generation.LEGACY
    """The names of fields that dcgm-exporter knows."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    """When each alert fires."""

    @classmethod
    def of_fleet(cls, fleet: Fleet, carried: pulumi.Input[str | None], wave_prefix: str = "") -> "Monitored":
        """Of a valid fleet; ``wave_prefix`` is what the names of waves have before the pool's."""
        with_carried = pulumi.Output.from_input(carried).apply(lambda known: monitored_fleet(fleet, known, wave_prefix))
        return cls(with_carried, generation(fleet.settings), thresholds(fleet.settings))


def declared(name: str, args: MonitoringArgs) -> Monitored:
    """Raises :class:`~mig_fleet.components.refused.FleetRefused` with every mistake in the arguments.

    The checks are those of a stack file, so the arguments are read as one: with a node for each pool, which nothing of
    the rules depends on.
    """
    sections: dict[str, Any] = {
        "cluster": {"useCurrentContext": True},
        "layouts": {},
        "pools": {},
        "prices": dict(args.get("prices") or {}),
        "operator": {
            "strategy": args.get("strategy", "mixed"),
            "allocation": args.get("allocation", "devicePlugin"),
            "version": args.get("chart_version"),
        },
        "monitoring": {key: args[word] for word, key in OF_MONITORING.items() if args.get(word) is not None},  # type: ignore[literal-required]  # the keys of the mapping are arguments
    }
    for position, (pool, each) in enumerate(args["pools"].items()):
        layout = dict(each["layout"])
        layout_name = layout.pop("name", None)
        sections["layouts"][layout_name] = layout
        sections["pools"][pool] = {
            "gpu": layout.get("gpu"),
            "gpusPerNode": each["gpus_per_node"],
            "layout": layout_name,
            "nodes": [f"node-{position}"],
        }
    try:
        fleet = parse(sections, f"Monitoring '{name}'")
    except InvalidSettings as exc:
        problems = [replace(it, path=it.path.removeprefix("monitoring.")) for it in exc.problems]
        raise FleetRefused(exc.source, problems) from None
    return Monitored.of_fleet(fleet, args.get("carried"))
