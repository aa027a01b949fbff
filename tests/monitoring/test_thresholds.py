"""Thresholds reach the rules, and one that cannot work is refused with what would work."""

from dataclasses import fields, replace
from typing import Any

import pytest

from mig_fleet.monitoring.alerts import alert_groups
from mig_fleet.monitoring.alerts.mistakes import mistakes
from mig_fleet.monitoring.alerts.thresholds import Limits, Severity, Thresholds
from mig_fleet.monitoring.rules import Alert, rule_file
from tests.monitoring.alert_cases.case import DEFAULTS, FLEET

NAMES = [field.name for field in fields(Thresholds)]
LIMITS = Limits()


def alerts(thresholds: Thresholds) -> dict[str, Alert]:
    """By the name of the threshold."""
    rules = [rule for group in alert_groups(FLEET, thresholds, "page") for rule in group.rules]
    return {as_name(rule.alert): rule for rule in rules if isinstance(rule, Alert)}


def as_name(alert: str) -> str:
    """``slice_idle`` for ``MIGSliceIdle``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in alert[3:])[1:]


def changed(name: str, **values: Any) -> Thresholds:
    return replace(DEFAULTS, **{name: replace(getattr(DEFAULTS, name), **values)})


def test_every_threshold_has_an_alert() -> None:
    assert alerts(DEFAULTS).keys() == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_that_is_off_has_no_rule_and_the_others_stay(name: str) -> None:
    assert alerts(replace(DEFAULTS, **{name: None})).keys() == set(NAMES) - {name}


def test_a_group_without_alerts_is_left_out() -> None:
    without = replace(DEFAULTS, pods_pending=None, pool_exhausted=None)
    names = [group["name"] for group in rule_file(alert_groups(FLEET, without, "page"))["groups"]]
    assert "mig-fleet-alerts-demand" not in names and "mig-fleet-alerts-nodes" in names


@pytest.mark.parametrize("name", NAMES)
def test_wait_and_severity_are_those_of_the_threshold(name: str) -> None:
    rule = alerts(changed(name, wait=4321, severity=Severity.CRITICAL))[name]
    assert (rule.wait, rule.labels["severity"]) == (4321, "critical")


@pytest.mark.parametrize(
    ("name", "values", "texts"),
    [
        ("slice_idle", {"window": 7200, "bound": 0.03, "except_namespaces": ("a", "b")},
         ["[2h]) < 0.03", 'namespace!~"a|b"']),
        ("slice_underutilized", {"window": 86400, "bound": 0.2, "memory_bound": 0.4, "except_namespaces": ("a",)},
         ["[24h]) < 0.2", "[24h]) < 0.4", "[6h] offset 18h", 'namespace!~"a"']),
        ("slice_memory_pressure", {"bound": 0.8, "except_namespaces": ("a",)}, ["> 0.8", 'namespace!~"a"']),
        ("xid_error", {"window": 3600}, ["offset 1h"]),
    ],
)  # fmt: skip
def test_windows_bounds_and_namespaces_are_those_of_the_threshold(
    name: str, values: dict[str, Any], texts: list[str]
) -> None:
    rule = alerts(changed(name, **values))[name]
    assert [text for text in texts if text not in rule.expr] == []
    assert rule.expr != alerts(DEFAULTS)[name].expr


def test_an_idle_slice_is_underutilized_if_its_own_alert_is_off() -> None:
    under = "slice_underutilized"
    assert "[1h]) < 0.01" in alerts(DEFAULTS)[under].expr
    assert "< 0.01" not in alerts(replace(DEFAULTS, slice_idle=None))[under].expr


def test_the_defaults_work() -> None:
    assert mistakes(DEFAULTS, LIMITS) == []


REFUSED = [
    ("slice_idle", {"bound": 0.0}, "sliceIdle.bound", "must be greater than 0: activity is never below that"),
    ("slice_idle", {"bound": 1.0}, "sliceIdle.bound", "must be less than 1: activity is a share of the slice"),
    ("slice_idle", {"bound": 0.2}, "sliceUnderutilized.bound", "must be greater than sliceIdle.bound, 0.2"),
    ("slice_idle", {"window": 59}, "sliceIdle.window", "must be at least 1m: the exporter is read every 30s"),
    ("slice_underutilized", {"bound": -1.0}, "sliceUnderutilized.bound", "must be greater than 0"),
    ("slice_underutilized", {"bound": 0.01}, "sliceUnderutilized.bound", "must be greater than sliceIdle.bound, 0.01"),
    ("slice_underutilized", {"memory_bound": 1.5}, "sliceUnderutilized.memoryBound", "must be less than 1"),
    ("slice_underutilized", {"window": 3599}, "sliceUnderutilized.window", "must be at least as long as wait, 1h"),
    ("slice_memory_pressure", {"bound": 1.0}, "sliceMemoryPressure.bound", "must be less than 1: no slice uses more"),
    ("slice_memory_pressure", {"bound": 0.0}, "sliceMemoryPressure.bound", "must be greater than 0: every slice in"),
    ("slice_memory_pressure", {"bound": 0.5}, "sliceMemoryPressure.bound",
     "must be greater than sliceUnderutilized.memoryBound, 0.5: one slice could"),
    ("xid_error", {"window": 30}, "xidError.window", "must be at least 1m"),
    ("xid_error", {"wait": 541}, "xidError.wait", "must be at most 9m: a code is new for the window of 10m"),
    ("reconfiguration_stuck", {"wait": 1799}, "reconfigurationStuck.wait",
     "must be at least 30m, the longest rollout.wedgedAfter"),
    ("node_isolated", {"wait": 0}, "nodeIsolated.wait", "must be longer than 0s, the longest rollout.soak"),
    ("telemetry_missing", {"wait": 59}, "telemetryMissing.wait", "must be at least 1m: the exporter is read every 30s"),
    ("slices_differ_from_config", {"wait": 0}, "slicesDifferFromConfig.wait", "must be at least 1m"),
    ("slice_idle", {"window": 360 * 3600 + 1}, "sliceIdle.window", "must be at most 360h: Prometheus keeps"),
    ("pods_pending", {"wait": 8760 * 3600 + 1}, "podsPending.wait", "must be at most 8760h: nothing that is seen"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values", "path", "text"), REFUSED)
def test_a_threshold_that_cannot_work_is_refused(name: str, values: dict[str, Any], path: str, text: str) -> None:
    found = {finding.path: finding.text for finding in mistakes(changed(name, **values), LIMITS)}
    assert found[path].startswith(text) and "(found " in found[path]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("slice_idle", {"window": 60}),
        ("slice_idle", {"window": 360 * 3600, "wait": 8760 * 3600}),
        ("slice_underutilized", {"window": 3600}),
        ("xid_error", {"wait": 540}),
        ("reconfiguration_stuck", {"wait": 1800}),
        ("node_isolated", {"wait": 1}),
        ("telemetry_missing", {"wait": 60}),
    ],
)
def test_the_limits_themselves_are_accepted(name: str, values: dict[str, Any]) -> None:
    assert mistakes(changed(name, **values), LIMITS) == []


def test_the_limits_are_those_of_the_stack() -> None:
    limits = Limits(pending=5400, isolated=40000, soak=36000, interval=120)
    paths = {finding.path for finding in mistakes(changed("slice_idle", window=239), limits)}
    assert paths == {"sliceIdle.window", "reconfigurationStuck.wait", "nodeIsolated.wait"}


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_that_is_off_has_no_mistakes(name: str) -> None:
    wrong = {"wait": -1, "window": -1, "bound": 7.0, "memory_bound": 7.0}
    known = {field.name for field in fields(getattr(DEFAULTS, name))}
    alert = name.title().replace("_", "")
    path = alert[0].lower() + alert[1:]
    found = mistakes(changed(name, **{key: value for key, value in wrong.items() if key in known}), LIMITS)
    assert any(finding.path.startswith(f"{path}.") for finding in found) or known == {"severity", "wait"}
    assert mistakes(replace(DEFAULTS, **{name: None}), LIMITS) == []
