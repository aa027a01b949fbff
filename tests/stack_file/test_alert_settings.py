"""`monitoring.alerts` of a stack file: what is accepted, what it means, and what is refused."""

from dataclasses import asdict, fields
from typing import Any

import pytest

from mig_fleet.documents import parse
from mig_fleet.monitoring.alerts.thresholds import Severity, Thresholds
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.alert_settings import Alerts
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stack_file.settings import Settings
from mig_fleet.stack_file.thresholds import thresholds

POOL = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}


def raw(alerts: object = None, **rollout: object) -> dict[str, Any]:
    return {
        "cluster": {"context": "c"},
        "layouts": {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}},
        "pools": {"inference": {**POOL, "rollout": rollout}},
        "monitoring": {} if alerts is None else {"alerts": alerts},
    }


def read(alerts: object = None, **rollout: object) -> Thresholds:
    return thresholds(fleet.parse(raw(alerts, **rollout), "x").settings)


def refused(alerts: object, **rollout: object) -> str:
    with pytest.raises(InvalidSettings) as error:
        fleet.parse(raw(alerts, **rollout), "x")
    return str(error.value)


def test_a_stack_without_settings_has_the_defaults() -> None:
    assert read() == read({}) == Thresholds()
    assert thresholds(Settings(layouts={}, pools={})) == Thresholds()


def test_the_settings_have_the_alerts_of_the_thresholds_with_their_fields() -> None:
    assert list(Alerts.model_fields) == [field.name for field in fields(Thresholds)]
    for name, default in asdict(Thresholds()).items():
        setting = getattr(Alerts(), name)
        assert type(setting).model_fields.keys() == default.keys(), name
        values = setting.model_dump()
        assert all(values[key] in (default[key], None) for key in values), name


def test_false_turns_an_alert_off_and_a_mapping_changes_only_what_it_has() -> None:
    found = read({"sliceIdle": False, "podsPending": {"wait": "1h"}, "xidError": {"severity": "critical"}})
    assert found.slice_idle is None
    assert found.pods_pending and found.pods_pending.wait == 3600
    assert found.xid_error and (found.xid_error.severity, found.xid_error.window) == (Severity.CRITICAL, 600)
    assert found.pool_exhausted == Thresholds().pool_exhausted


def test_a_rollout_alert_waits_for_the_slowest_pool_if_it_has_no_wait() -> None:
    found = read({"nodeIsolated": {"severity": "info"}}, wedgedAfter="1h", timeout="2h", soak="30m")
    assert found.reconfiguration_stuck and found.reconfiguration_stuck.wait == 3600 + 300
    assert found.node_isolated and found.node_isolated.wait == 2 * 7200 + 1800 + 300
    back = read(timeout="2h", soak="30m", onFailure="rollback")
    assert back.node_isolated and back.node_isolated.wait == 3 * 7200 + 1800 + 300
    own = read({"nodeIsolated": {"wait": "45m"}})
    assert own.node_isolated and own.node_isolated.wait == 2700


def test_namespaces_are_read_as_a_list() -> None:
    found = read({"sliceIdle": {"exceptNamespaces": ["notebooks", "dev"]}})
    assert found.slice_idle and found.slice_idle.except_namespaces == ("notebooks", "dev")


@pytest.mark.parametrize(
    ("alerts", "message"),
    [
        ({"sliceIdel": {}}, "monitoring.alerts.sliceIdel: unknown key; did you mean 'sliceIdle'?"),
        ({"sliceIdle": {"wiat": "1h"}}, "monitoring.alerts.sliceIdle.wiat: unknown key; did you mean 'wait'?"),
        ({"podsPending": {"window": "1h"}}, "monitoring.alerts.podsPending.window: unknown key; known: severity, wait"),
        ({"sliceIdle": True},
         "monitoring.alerts.sliceIdle: must be false, or a mapping such as {wait: 30m} (found True)"),
        ({"sliceIdle": None},
         "monitoring.alerts.sliceIdle: must be false, or a mapping such as {wait: 30m} (found None)"),
        ({"sliceIdle": {"wait": 30}}, "monitoring.alerts.sliceIdle.wait: must be a duration such as 90s, 45m or 2h"),
        ({"sliceIdle": {"severity": "page"}},
         "monitoring.alerts.sliceIdle.severity: must be 'info', 'warning' or 'critical' (found 'page')"),
        ({"sliceIdle": {"bound": "5%"}},
         "monitoring.alerts.sliceIdle.bound: must be a number such as 0.5 (found '5%')"),
        ({"sliceIdle": {"bound": float("nan")}}, "monitoring.alerts.sliceIdle.bound: must be a finite number"),
        ({"sliceIdle": {"exceptNamespaces": ["a|b"]}},
         "monitoring.alerts.sliceIdle.exceptNamespaces[0]: must be a namespace name"),
        ({"sliceMemoryPressure": {"bound": 1}},
         "monitoring.alerts.sliceMemoryPressure.bound: must be less than 1: no slice uses more than all its memory "
         "(found 1.0)"),
        ({"xidError": {"wait": "10m"}}, "monitoring.alerts.xidError.wait: must be at most 9m"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_what_would_work(alerts: object, message: str) -> None:
    assert message in refused(alerts)


def test_a_wait_that_is_too_short_for_a_pool_is_refused() -> None:
    text = refused(
        {"reconfigurationStuck": {"wait": "40m"}, "nodeIsolated": {"wait": "2h"}}, wedgedAfter="1h", soak="3h"
    )
    assert "monitoring.alerts.reconfigurationStuck.wait: must be at least 1h, the longest rollout.wedgedAfter" in text
    assert "monitoring.alerts.nodeIsolated.wait: must be longer than 3h, the longest rollout.soak" in text


def test_a_yaml_list_and_false_are_read_from_a_stack_file() -> None:
    document = parse(
        "x.yaml",
        b"""config:
  mig-fleet:cluster: {context: c}
  mig-fleet:layouts: {dense: {gpu: H100-80GB, all: {1g.10gb: 7}}}
  mig-fleet:pools: {p: {gpu: H100-80GB, gpusPerNode: 8, nodes: [n], layout: dense}}
  mig-fleet:monitoring: {alerts: {sliceIdle: {exceptNamespaces: [a]}, telemetryMissing: false}}
""",
    )
    found = thresholds(fleet.from_document(document).settings)
    assert found.telemetry_missing is None and found.slice_idle and found.slice_idle.except_namespaces == ("a",)
