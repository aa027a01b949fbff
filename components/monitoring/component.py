"""The monitoring objects of a fleet."""

import hashlib
import json
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
import yaml

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.components.monitoring.dashboard import dashboard
from mig_fleet.components.monitoring.metrics import FILE, metrics_config_map_name, metrics_csv
from mig_fleet.components.monitoring.rules import WatchedPool, alert_rules
from mig_fleet.model import labels

MANAGED = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
"""By this label another stack of mig-fleet knows our objects (:mod:`mig_fleet.observed.installed.existing_objects`)."""


class MonitoringArgs(TypedDict):
    """What to generate, and where."""

    namespace: pulumi.Input[str]
    metrics_config_map: NotRequired[k8s.core.v1.ConfigMap]
    """dcgm-exporter's list of metrics, from :func:`metrics_list` (default: created with the rest)."""
    pools: list[WatchedPool]
    dashboard: bool
    """Whether to create a ConfigMap that Grafana's sidecar loads."""
    rules: str
    """``prometheusRule`` (needs the Prometheus Operator's CRD), ``configMap`` or ``none``."""
    monitor_labels: NotRequired[dict[str, str]]
    """Labels by which Prometheus selects rules, such as ``release: kube-prometheus-stack``."""
    after: NotRequired[pulumi.Output[list[pulumi.Resource]]]
    """What the dashboard and the alerts describe, :attr:`~mig_fleet.components.pool.Pool.changed`: they change after
    it."""


class Monitoring(pulumi.ComponentResource):
    """dcgm-exporter's list of metrics, a dashboard and the alerts; all follow from the layouts."""

    metrics_config_map: k8s.core.v1.ConfigMap

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mig-fleet:index:Monitoring", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        self.metrics_config_map = args.get("metrics_config_map") or metrics_list(name, namespace, child)
        after = pulumi.ResourceOptions(parent=self, depends_on=args.get("after", []))
        if args["dashboard"]:
            board = json.dumps(
                dashboard(sum(pool.slices_per_node * len(pool.nodes) for pool in args["pools"])),
                indent=1,
                sort_keys=True,
            )
            k8s.core.v1.ConfigMap(
                f"{name}-dashboard",
                metadata={
                    "name": "mig-fleet-dashboard",
                    "namespace": namespace,
                    "labels": {**MANAGED, "grafana_dashboard": "1"},
                    "annotations": _content(board),
                },
                data={"mig-fleet.json": board},
                opts=_hiding("data", after),
            )
        rules = alert_rules(args["pools"])
        text = yaml.safe_dump(rules, sort_keys=False, width=1000)
        metadata = {
            "name": labels.ALERT_RULES,
            "namespace": namespace,
            "labels": {**MANAGED, **args.get("monitor_labels", {})},
            "annotations": _content(text),
        }
        if args["rules"] == "prometheusRule":
            k8s.apiextensions.CustomResource(
                f"{name}-rules",
                api_version="monitoring.coreos.com/v1",
                kind="PrometheusRule",
                metadata=metadata,
                spec=rules,
                opts=_hiding("spec", after),
            )
        elif args["rules"] == "configMap":
            k8s.core.v1.ConfigMap(
                f"{name}-rules", metadata=metadata, data={"mig-fleet.yaml": text}, opts=_hiding("data", after)
            )
        self.register_outputs({"metrics_config_map": self.metrics_config_map.metadata["name"]})


def _hiding(content: str, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """The options of an object with generated content: a preview prints that it changed, and not how."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hide_diffs=[content]))


def _content(text: str) -> dict[str, str]:
    """A hash of generated content: if all that differs is hidden, the engine prints the old object as a whole."""
    return {labels.CONTENT: hashlib.sha256(text.encode()).hexdigest()[:10]}


def metrics_list(name: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions) -> k8s.core.v1.ConfigMap:
    """The ConfigMap that dcgm-exporter reads, ``<name>-metrics``.

    The operator needs it before there are pools, and the rest of the monitoring of a program comes after its pools.
    """
    inside = pulumi.Alias(parent=pulumi.create_urn(name, "mig-fleet:index:Monitoring"))
    return k8s.core.v1.ConfigMap(
        f"{name}-metrics",
        metadata={"name": metrics_config_map_name(), "namespace": namespace, "labels": MANAGED},
        data={FILE: metrics_csv()},
        immutable=True,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=[] if opts.parent else [inside])),
    )
