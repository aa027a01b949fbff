"""Each alert fires when it must and is silent in the near misses, from raw series through the recorded ones."""

from collections import defaultdict
from dataclasses import replace

import pytest

from mig_fleet.monitoring.alerts import alert_groups
from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.recording import recording_groups
from mig_fleet.monitoring.rules import Alert, Group, Record
from tests.monitoring.alert_cases import declared, demand, nodes, slices, telemetry
from tests.monitoring.alert_cases.case import DEFAULTS, FLEET, SINGLE, AlertCase, dense_node
from tests.monitoring.promql_trees import names
from tests.monitoring.promtool import Case, FiringAlert, Promtool
from tests.monitoring.series_samples import Pod

pytestmark = pytest.mark.engine

CASES = {module.__name__.rpartition(".")[2]: module.CASES for module in (slices, nodes, demand, declared, telemetry)}
PAGE = "https://example.com/monitoring.md"


def rules(
    fleet: MonitoredFleet = FLEET, thresholds: Thresholds = DEFAULTS, kind: str = "", texts: bool = False
) -> list[Group]:
    """All rules, or only the alerts of a kind and the records that they need, which is much faster over hours. Without
    ``texts``, which promtool would compare as well.
    """
    alerts = alert_groups(fleet, thresholds, PAGE)
    alerts = [group if texts else bare(group) for group in alerts if kind in group.name]
    return [*(needed(recording_groups(fleet), alerts) if kind else recording_groups(fleet)), *alerts]


def needed(records: list[Group], alerts: list[Group]) -> list[Group]:
    """Each group reads only what it or an earlier one records."""
    wanted = {name for group in alerts for rule in group.rules for name in names(rule.expr)}
    kept: list[Group] = []
    for group in reversed(records):
        rules: list[Record | Alert] = []
        for rule in reversed(group.rules):
            if isinstance(rule, Record) and rule.record in wanted:
                rules.insert(0, rule)
                wanted |= names(rule.expr)
        kept.insert(0, replace(group, rules=tuple(rules)))
    return kept


def bare(group: Group) -> Group:
    """The same alerts without annotations."""
    return replace(group, rules=tuple(replace(r, annotations={}) if isinstance(r, Alert) else r for r in group.rules))


def severities(groups: list[Group]) -> dict[str, str]:
    return {rule.alert: rule.labels["severity"] for group in groups for rule in group.rules if isinstance(rule, Alert)}


@pytest.mark.parametrize("kind", CASES)
def test_an_alert_fires_when_it_must_and_not_otherwise(promtool: Promtool, kind: str) -> None:
    alike: dict[tuple[int, int], list[AlertCase]] = defaultdict(list)
    for case in CASES[kind]:
        alike[id(case.fleet), id(case.thresholds)].append(case)
    for cases in alike.values():
        groups = rules(cases[0].fleet, cases[0].thresholds, kind)
        promtool.verify(groups, *(as_case(case, severities(groups)) for case in cases))


def as_case(case: AlertCase, severity: dict[str, str]) -> Case:
    firing = [FiringAlert({**labels, "severity": severity[case.alert]}) for labels in case.fires]
    return Case(f"{case.alert}: {case.name}", case.series, firing={(case.at, case.alert): firing})


@pytest.mark.parametrize("fleet", [FLEET, SINGLE], ids=["mixed", "single"])
def test_promtool_accepts_the_rules(promtool: Promtool, fleet: MonitoredFleet) -> None:
    promtool.check(rules(fleet, texts=True))


def test_every_alert_has_a_case_that_fires_and_one_that_is_silent() -> None:
    for fires in (True, False):
        shown = {case.alert for cases in CASES.values() for case in cases if bool(case.fires) is fires}
        assert shown == severities(rules()).keys(), "add a case"


@pytest.mark.parametrize("kind", CASES)
def test_the_texts_of_an_alert_that_fires_are_filled_in(promtool: Promtool, kind: str) -> None:
    """Promtool prints what it got instead of nothing."""
    usual = [case for case in CASES[kind] if case.fires and case.fleet is FLEET and case.thresholds is DEFAULTS]
    first = {case.alert: replace(case, fires=()) for case in reversed(usual)}
    groups = rules(kind=kind, texts=True)
    printed = promtool.failure(groups, *(as_case(case, severities(groups)) for case in first.values()))
    for alert in first:
        assert f'{PAGE}#{alert.lower()}"' in printed
    assert [word for word in ("{{", "}}", "<error", "<no value>", '""') if word in printed] == []


def test_a_healthy_fleet_is_silent(promtool: Promtool) -> None:
    groups = rules()
    series = [*dense_node(pods=[Pod("a"), Pod("b")]), *dense_node("n2", pods=[Pod("c")])]
    promtool.verify(groups, Case("healthy", series, firing={("130m", alert): [] for alert in severities(groups)}))


def test_a_wrong_expectation_makes_promtool_fail(promtool: Promtool) -> None:
    """Otherwise the other tests would prove nothing."""
    groups = rules()
    alert = {("70m", "MIGSliceIdle"): [FiringAlert({"severity": "info", "pod": "busy"})]}
    failure = promtool.failure(groups, Case("wrong", dense_node(pods=[Pod("busy")]), firing=alert))
    assert "MIGSliceIdle" in failure and "FAILED" in failure
