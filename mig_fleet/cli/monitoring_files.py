"""The files of `mig-fleet monitoring --out`: what a cluster needs that does not get it from the Pulumi program."""

from typing import Any

from mig_fleet.documents import dump_blocks
from mig_fleet.monitoring import kube_state_metrics
from mig_fleet.monitoring.alerts import alert_groups
from mig_fleet.monitoring.dashboards import dashboards
from mig_fleet.monitoring.exporter import (
    FILE,
    metrics_config_map_name,
    metrics_csv,
    scrape_config,
)
from mig_fleet.monitoring.recording import recording_groups
from mig_fleet.monitoring.rules import rule_file, rule_text
from mig_fleet.policies.chart_values import ServiceMonitor, derived_values
from mig_fleet.stack_file.exporter import generation
from mig_fleet.stack_file.fleet import Fleet
from mig_fleet.stack_file.monitored_fleet import monitored_fleet
from mig_fleet.stack_file.thresholds import thresholds

_FOLDERS = {
    "grafana": {
        "sidecar": {
            "dashboards": {"folderAnnotation": "grafana_folder", "provider": {"foldersFromFilesStructure": True}}
        }
    }
}
"""Without these values, Grafana's sidecar ignores the annotation of a folder."""


def files(fleet: Fleet) -> dict[str, str]:
    """The path of each file below the folder → its text. The same stack file gives the same texts."""
    settings = fleet.settings
    scrape = scrape_config(settings.operator.namespace, settings.monitoring.scrape_interval)
    found = {
        "rules.yaml": rules(fleet),
        FILE: metrics_csv(generation(settings)),
        "scrape-config.yaml": dump_blocks([scrape]),
        "kube-prometheus-stack-values.yaml": dump_blocks(kube_prometheus_stack_values(fleet)),
        "kube-state-metrics-values.yaml": dump_blocks(kube_state_metrics.chart_values()),
        **{f"dashboards/{name}": text for name, text in dashboards(monitored_fleet(fleet)).items()},
    }
    if not settings.operator.managed:
        found["gpu-operator-values.yaml"] = dump_blocks(operator_values(fleet))
    return dict(sorted(found.items()))


def rules(fleet: Fleet) -> str:
    """The file with the recording rules and the alerts."""
    monitored, settings = monitored_fleet(fleet), fleet.settings
    alerts = alert_groups(monitored, thresholds(settings), settings.monitoring.runbooks)
    return rule_text(rule_file([*recording_groups(monitored), *alerts]))


def kube_prometheus_stack_values(fleet: Fleet) -> dict[str, Any]:
    """Helm values: what kube-state-metrics must export, and the folder of the dashboards, if there is one."""
    monitoring = fleet.settings.monitoring
    in_folder = monitoring.folder is not None and monitoring.dashboards == "sidecar"
    return {**kube_state_metrics.kube_prometheus_stack_values(), **(_FOLDERS if in_folder else {})}


def operator_values(fleet: Fleet) -> dict[str, Any]:
    """Of a GPU Operator that mig-fleet does not install: the list of metrics, and the ServiceMonitor."""
    monitoring = fleet.settings.monitoring
    monitor = ServiceMonitor(monitoring.scrape_interval, monitoring.monitor_labels)
    name = metrics_config_map_name(generation(fleet.settings))
    return {"dcgmExporter": derived_values(str(fleet.strategy), name, monitor)["dcgmExporter"]}
