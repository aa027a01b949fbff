"""The section `monitoring` of a stack file: what is generated from the layouts, where it goes, and who selects it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mig_fleet.model.cost import Basis
from mig_fleet.model.finding import Finding
from mig_fleet.monitoring.documentation import PAGE
from mig_fleet.monitoring.fleet import EXPORTER_JOB
from mig_fleet.observed.installed.existing_objects import MANAGED_BY
from mig_fleet.stack_file.alert_settings import Alerts
from mig_fleet.stack_file.closed import Closed
from mig_fleet.stack_file.scalars import Labels, LabelSelector, Regex, ScrapeInterval, Url


def _by_name(value: object) -> object:
    if not isinstance(value, Mapping | Closed):
        raise ValueError("must be a mapping; {sliceIdle: false} turns that alert off, and `rules: none` every one")
    return value


class Monitoring(Closed):
    """Dashboards, recording rules and alerts, and the metrics that they read."""

    dashboards: Literal["sidecar", "grafanaOperator", "none"] = "sidecar"
    """ConfigMaps that Grafana's sidecar loads, GrafanaDashboards of the Grafana Operator, or nothing."""
    dashboard_labels: LabelSelector = Field(default={"grafana_dashboard": "1"})
    """Labels by which the sidecar finds a ConfigMap."""
    folder: str | None = Field(default=None, min_length=1, max_length=250)
    """Grafana's folder: the annotation ``grafana_folder`` of a ConfigMap, or ``folder`` of a GrafanaDashboard."""
    grafana_instances: LabelSelector | None = None
    """Labels of the Grafana resources that get the dashboards."""
    rules: Literal["prometheusRule", "configMap", "none"] = "configMap"
    monitor_labels: Labels = Field(default_factory=dict)
    """Labels by which Prometheus selects the rules and the ServiceMonitor."""
    service_monitor: bool = Field(default=False, strict=True)
    """Whether the GPU Operator creates the ServiceMonitor of dcgm-exporter."""
    scrape_interval: ScrapeInterval = 30
    """How often Prometheus reads dcgm-exporter; the ServiceMonitor has it."""
    exporter_job: Regex = EXPORTER_JOB
    cost_basis: Basis = Basis.MAX
    runbooks: Url = PAGE
    """The page that alerts link to; a heading of it is added."""
    alerts: Annotated[Alerts, BeforeValidator(_by_name)] = Alerts()


def monitoring_problems(monitoring: Monitoring, operator_managed: bool) -> Iterator[Finding]:
    """The keys that contradict each other, or that nothing would read."""
    given, dashboards = monitoring.model_fields_set, monitoring.dashboards
    if monitoring.service_monitor and not operator_managed:
        yield _problem(
            "serviceMonitor",
            "needs operator.managed: true, because the GPU Operator creates the ServiceMonitor; where another owner "
            "installs the operator, its values must have what `mig-fleet monitoring` prints",
        )
    if dashboards == "grafanaOperator" and monitoring.grafana_instances is None:
        yield _problem(
            "grafanaInstances", "is missing: dashboards: grafanaOperator needs the labels of your Grafana resources"
        )
    if dashboards != "grafanaOperator" and monitoring.grafana_instances is not None:
        yield _problem("grafanaInstances", f"is only for dashboards: grafanaOperator, and dashboards is {dashboards}")
    if dashboards != "sidecar" and "dashboard_labels" in given:
        yield _problem("dashboardLabels", f"is only for dashboards: sidecar, and dashboards is {dashboards}")
    if dashboards == "none" and monitoring.folder is not None:
        yield _problem("folder", "needs dashboards: sidecar or grafanaOperator, and dashboards is none")
    for key, labels in (
        ("monitorLabels", monitoring.monitor_labels),
        ("dashboardLabels", monitoring.dashboard_labels),
    ):
        if MANAGED_BY in labels:
            yield _problem(key, f"must not have {MANAGED_BY}: by that label another stack knows our objects")
    if monitoring.monitor_labels and monitoring.rules == "none" and not monitoring.service_monitor:
        yield _problem("monitorLabels", "needs rules, or serviceMonitor: true; nothing would have these labels")


def _problem(key: str, text: str) -> Finding:
    return Finding(f"monitoring.{key}", text)
