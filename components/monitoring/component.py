"""The monitoring objects of a fleet."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pulumi

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.components.checked_args import check_args
from mig_fleet.components.kubernetes_object import KubernetesObject
from mig_fleet.components.monitoring.content import dashboards, rules
from mig_fleet.components.monitoring.declared import Monitored, MonitoringArgs, declared
from mig_fleet.components.refused import FleetRefused
from mig_fleet.model import labels
from mig_fleet.model.finding import Finding
from mig_fleet.model.namespaces import OPERATOR_NAMESPACE
from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.documentation import PAGE
from mig_fleet.monitoring.exporter import FILE, metrics_config_map_name, metrics_csv
from mig_fleet.monitoring.fleet import MonitoredFleet

MANAGED = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
"""By this label another stack of mig-fleet knows our objects (:mod:`mig_fleet.observed.installed.existing_objects`)."""


class Monitoring(pulumi.ComponentResource):
    """dcgm-exporter's list of metrics, recording rules and alerts, and dashboards; all follow from the layouts.

    The rules compare a node with the config that was verified last on it, so they change before the nodes do.
    """

    metrics_config_map: KubernetesObject
    metrics: pulumi.Output[str]
    """The name of the ConfigMap with dcgm-exporter's metrics list, for
    :class:`~mig_fleet.components.gpu_operator.GpuOperator`."""

    def __init__(
        self,
        name: str,
        args: MonitoringArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        monitored: Monitored | None = None,
    ) -> None:
        """``monitored`` replaces what ``args`` say of pools, strategy, prices, chart and alerts, if the caller has
        checked them already. Raises :class:`~mig_fleet.components.refused.FleetRefused`.
        """
        check_args(f"Monitoring '{name}'", args, MonitoringArgs)
        monitored = monitored or declared(name, args)
        if args.get("dashboards") == "grafanaOperator" and not args.get("grafana_instances"):
            text = "must name a label: without one, every Grafana gets the dashboards"
            raise FleetRefused(f"Monitoring '{name}'", [Finding("grafana_instances", text)])
        super().__init__("mig-fleet:index:Monitoring", name, {}, opts)
        generation, namespace = monitored.generation, args.get("namespace", OPERATOR_NAMESPACE)
        self.metrics_config_map = KubernetesObject(
            f"{name}-metrics",
            "v1",
            "ConfigMap",
            {"name": metrics_config_map_name(generation), "namespace": namespace, "labels": MANAGED},
            pulumi.ResourceOptions(parent=self, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]),
            data={FILE: metrics_csv(generation)},
            immutable=True,
        )
        self.metrics = self.metrics_config_map.metadata["name"]
        fleet = pulumi.Output.from_input(monitored.fleet)
        if args.get("rules") != "none":
            self._rules(f"{name}-rules", args, fleet, monitored.thresholds)
        if args.get("dashboards") != "none":
            texts = fleet.apply(dashboards)
            for board in labels.DASHBOARDS:
                self._dashboard(f"{name}-dashboard-{board}", board, args, texts[f"mig-fleet-{board}.json"])
        self.register_outputs({"metrics_config_map": self.metrics})

    def _rules(
        self, name: str, args: MonitoringArgs, fleet: pulumi.Output[MonitoredFleet], thresholds: Thresholds
    ) -> None:
        kind = args.get("rules", "configMap")
        found = fleet.apply(lambda it: rules(it, thresholds, args.get("runbooks", PAGE), kind))
        file, text = found[0], found[1]
        metadata = _metadata(labels.ALERT_RULES, args, args.get("monitor_labels", {}), text)
        if kind == "prometheusRule":
            opts = self._hiding("spec")
            KubernetesObject(name, "monitoring.coreos.com/v1", "PrometheusRule", metadata, opts, spec=file)
        else:
            self._config_map(name, metadata, {"mig-fleet.yaml": text})

    def _dashboard(self, name: str, board: str, args: MonitoringArgs, text: pulumi.Output[str]) -> None:
        folder, object_name = args.get("folder"), labels.DASHBOARDS[board]
        if args.get("dashboards") == "grafanaOperator":
            KubernetesObject(
                name,
                "grafana.integreatly.org/v1beta1",
                "GrafanaDashboard",
                _metadata(object_name, args, {}, text),
                self._hiding("spec.json"),
                spec={
                    "instanceSelector": {"matchLabels": dict(args["grafana_instances"] or {})},
                    "allowCrossNamespaceImport": True,
                    "json": text,
                    **({"folder": folder} if folder else {}),
                },
            )
            return
        metadata = _metadata(object_name, args, args.get("dashboard_labels", {"grafana_dashboard": "1"}), text)
        if folder:
            metadata["annotations"]["grafana_folder"] = folder
        self._config_map(name, metadata, {f"mig-fleet-{board}.json": text})

    def _config_map(self, name: str, metadata: Any, data: dict[str, pulumi.Output[str]]) -> None:
        KubernetesObject(name, "v1", "ConfigMap", metadata, self._hiding("data"), data=data)

    def _hiding(self, content: str) -> pulumi.ResourceOptions:
        """A preview prints that generated content changed, and not how."""
        return pulumi.ResourceOptions(parent=self, hide_diffs=[content])


def _metadata(
    name: str, args: MonitoringArgs, selected_by: Mapping[str, str], text: pulumi.Output[str]
) -> dict[str, Any]:
    """With a hash of the content: if all that differs is hidden, the engine prints the old object as a whole."""
    return {
        "name": name,
        "namespace": args.get("namespace", OPERATOR_NAMESPACE),
        "labels": {**MANAGED, **selected_by},
        "annotations": {labels.CONTENT: text.apply(lambda it: hashlib.sha256(it.encode()).hexdigest()[:10])},
    }
