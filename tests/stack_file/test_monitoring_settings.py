"""What `monitoring` cannot mean is refused in the stack file, with its path and what would work."""

from typing import Any

import pytest

from mig_fleet.stack_file import fleet
from tests.stack_file.test_early_refusals import a_stack, problems

GRAFANA = {"dashboards": "grafana"}
RE2 = "must be a regular expression of Prometheus (RE2)"


def monitoring(operator: dict[str, Any] | None = None, **keys: Any) -> list[str]:
    return problems(a_stack(monitoring=keys, operator=operator or {}))


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"dashboard": False}, "dashboard: was replaced; set `dashboards: sidecar` or `dashboards: none`"),
        ({"dashboards": "grafanaOperator"}, "grafanaInstances: is missing: dashboards: grafanaOperator needs"),
        ({"grafanaInstances": GRAFANA}, "grafanaInstances: is only for dashboards: grafanaOperator, and dashboards is"),
        ({"dashboards": "none", "dashboardLabels": GRAFANA}, "dashboardLabels: is only for dashboards: sidecar"),
        ({"dashboards": "none", "folder": "GPUs"}, "folder: needs dashboards: sidecar or grafanaOperator"),
        ({"rules": "none", "monitorLabels": {"release": "a"}}, "monitorLabels: needs rules, or serviceMonitor: true"),
        ({"exporterJob": "dcgm-(.*"}, f"exporterJob: {RE2}: missing )"),
        ({"exporterJob": "z{3,2}"}, f"exporterJob: {RE2}: min repeat greater than max"),
        ({"exporterJob": "gpu" * 100}, "exporterJob: must have at most 250 characters"),
        ({"exporterJob": ".*"}, "exporterJob: must not match an empty text"),
        ({"exporterJob": ""}, "exporterJob: must not match an empty text"),
        ({"scrapeInterval": "5s"}, "scrapeInterval: must be 10s to 120s"),
        ({"scrapeInterval": "5m"}, "scrapeInterval: must be 10s to 120s"),
        ({"scrapeInterval": 30}, "scrapeInterval: must be a duration such as 90s"),
        ({"costBasis": "slices"}, "costBasis: must be 'max', 'compute' or 'memory' (found 'slices')"),
        ({"runbooks": "wiki/gpus"}, "runbooks: must be the address of a page, such as https://example.com/runbooks"),
        (
            {"monitorLabels": {"app.kubernetes.io/managed-by": "a"}},
            "monitorLabels: must not have app.kubernetes.io",
        ),
        ({"dashboardLabels": {"app.kubernetes.io/managed-by": "a"}}, "dashboardLabels: must not have app.kube"),
        ({"dashboardLabels": {}}, "dashboardLabels: must name at least one label"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_with_its_path(keys: dict[str, Any], text: str) -> None:
    (found,) = monitoring(**keys)
    assert found.startswith(f"monitoring.{text}"), found


def test_a_service_monitor_needs_the_operator_that_creates_it() -> None:
    (found,) = monitoring(operator={"managed": False}, serviceMonitor=True)
    assert found.startswith("monitoring.serviceMonitor: needs operator.managed: true")
    assert "`mig-fleet monitoring`" in found


def test_a_service_monitor_that_the_values_of_the_chart_contradict_is_refused() -> None:
    operator = {"values": {"dcgmExporter": {"serviceMonitor": {"enabled": False}}}}
    (found,) = monitoring(operator=operator, serviceMonitor=True)
    assert found.startswith("operator.values.dcgmExporter.serviceMonitor.enabled: must be true")
    assert fleet.parse(a_stack(operator=operator), "x"), "without the setting, the values decide"


def test_a_password_in_the_address_of_runbooks_is_refused_and_not_printed() -> None:
    (found,) = monitoring(runbooks="https://me:s3cret@wiki.example.com/gpus")
    assert found == "monitoring.runbooks: must not have a password, because every alert would print it"


@pytest.mark.parametrize(
    "keys",
    [
        {"dashboards": "grafanaOperator", "grafanaInstances": GRAFANA, "folder": "GPUs"},
        {"rules": "none", "serviceMonitor": True, "monitorLabels": {"release": "a"}, "scrapeInterval": "15s"},
        {"dashboardLabels": {"dashboards": "yes"}, "folder": "GPUs", "costBasis": "compute"},
        {"exporterJob": r"(?:gpu)?/dcgm[-.]exporter\d*?"},
    ],
    ids=str,
)
def test_what_can_work_is_accepted(keys: dict[str, Any]) -> None:
    assert fleet.parse(a_stack(monitoring=keys), "x").settings.monitoring.model_fields_set
