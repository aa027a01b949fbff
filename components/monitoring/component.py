"""The monitoring objects of a fleet."""

import hashlib
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.components.monitoring.content import dashboards, rules
from mig_fleet.model import labels
from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.documentation import PAGE
from mig_fleet.monitoring.exporter import FILE, Generation, metrics_config_map_name, metrics_csv
from mig_fleet.monitoring.fleet import MonitoredFleet

MANAGED = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
"""By this label another stack of mig-fleet knows our objects (:mod:`mig_fleet.observed.installed.existing_objects`)."""


class MonitoringArgs(TypedDict):
    """What to generate, and where."""

    namespace: pulumi.Input[str]
    """Where the GPU Operator runs."""
    fleet: pulumi.Input[MonitoredFleet]
    """The pools, and the slices of every config that a node may have."""
    generation: NotRequired[Generation]
    """The names of fields that dcgm-exporter knows (default: those that every version knows)."""
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
    thresholds: NotRequired[Thresholds]
    """When each alert fires."""
    runbooks: NotRequired[str]
    """The address of the page that alerts link to."""


class Monitoring(pulumi.ComponentResource):
    """dcgm-exporter's list of metrics, recording rules and alerts, and dashboards; all follow from the layouts.

    The rules compare a node with the config that was verified last on it, so they change before the nodes do.
    """

    metrics_config_map: k8s.core.v1.ConfigMap

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if args.get("dashboards") == "grafanaOperator" and not args.get("grafana_instances"):
            raise ValueError("grafana_instances must name a label: without one, every Grafana gets the dashboards")
        super().__init__("mig-fleet:index:Monitoring", name, {}, opts)
        generation = args.get("generation", Generation.LEGACY)
        self.metrics_config_map = k8s.core.v1.ConfigMap(
            f"{name}-metrics",
            metadata={"name": metrics_config_map_name(generation), "namespace": args["namespace"], "labels": MANAGED},
            data={FILE: metrics_csv(generation)},
            immutable=True,
            opts=pulumi.ResourceOptions(parent=self, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]),
        )
        fleet = pulumi.Output.from_input(args["fleet"])
        if args.get("rules") != "none":
            self._rules(f"{name}-rules", args, fleet)
        if args.get("dashboards") != "none":
            texts = fleet.apply(dashboards)
            for board in labels.DASHBOARDS:
                self._dashboard(f"{name}-dashboard-{board}", board, args, texts[f"mig-fleet-{board}.json"])
        self.register_outputs({"metrics_config_map": self.metrics_config_map.metadata["name"]})

    def _rules(self, name: str, args: MonitoringArgs, fleet: pulumi.Output[MonitoredFleet]) -> None:
        kind, thresholds = args.get("rules", "configMap"), args.get("thresholds", Thresholds())
        found = fleet.apply(lambda it: rules(it, thresholds, args.get("runbooks", PAGE), kind))
        file, text = found[0], found[1]
        metadata = _metadata(labels.ALERT_RULES, args, args.get("monitor_labels", {}), text)
        if kind == "prometheusRule":
            k8s.apiextensions.CustomResource(
                name,
                api_version="monitoring.coreos.com/v1",
                kind="PrometheusRule",
                metadata=metadata,
                spec=file,
                opts=self._hiding("spec"),
            )
        else:
            self._config_map(name, metadata, {"mig-fleet.yaml": text})

    def _dashboard(self, name: str, board: str, args: MonitoringArgs, text: pulumi.Output[str]) -> None:
        folder, object_name = args.get("folder"), labels.DASHBOARDS[board]
        if args.get("dashboards") == "grafanaOperator":
            k8s.apiextensions.CustomResource(
                name,
                api_version="grafana.integreatly.org/v1beta1",
                kind="GrafanaDashboard",
                metadata=_metadata(object_name, args, {}, text),
                spec={
                    "instanceSelector": {"matchLabels": dict(args["grafana_instances"] or {})},
                    "allowCrossNamespaceImport": True,
                    "json": text,
                    **({"folder": folder} if folder else {}),
                },
                opts=self._hiding("spec.json"),
            )
            return
        metadata = _metadata(object_name, args, args.get("dashboard_labels", {"grafana_dashboard": "1"}), text)
        if folder:
            metadata["annotations"]["grafana_folder"] = folder
        self._config_map(name, metadata, {f"mig-fleet-{board}.json": text})

    def _config_map(self, name: str, metadata: Any, data: dict[str, pulumi.Output[str]]) -> None:
        k8s.core.v1.ConfigMap(name, metadata=metadata, data=data, opts=self._hiding("data"))

    def _hiding(self, content: str) -> pulumi.ResourceOptions:
        """A preview prints that generated content changed, and not how."""
        return pulumi.ResourceOptions(parent=self, hide_diffs=[content])


def _metadata(
    name: str, args: MonitoringArgs, selected_by: Mapping[str, str], text: pulumi.Output[str]
) -> dict[str, Any]:
    """With a hash of the content: if all that differs is hidden, the engine prints the old object as a whole."""
    return {
        "name": name,
        "namespace": args["namespace"],
        "labels": {**MANAGED, **selected_by},
        "annotations": {labels.CONTENT: text.apply(lambda it: hashlib.sha256(it.encode()).hexdigest()[:10])},
    }
