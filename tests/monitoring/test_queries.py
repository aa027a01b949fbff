"""Laws of all queries: of dashboards, of recording rules and of alerts."""

import json
import re
from itertools import chain

import promql_parser
import pytest

from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring import series
from mig_fleet.monitoring.alerts import alert_groups
from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.dashboards import dashboards
from mig_fleet.monitoring.dashboards.queries import queries, substituted
from mig_fleet.monitoring.exporter.fields import BLANK, LISTED
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.recording import recording_groups
from tests.monitoring.fleets import a_fleet, a_pool
from tests.monitoring.promql_trees import averaged, counted_twice, names

RECORDED = {value for value in vars(series).values() if isinstance(value, str) and value.startswith("mig:")}
OF_PROMETHEUS = {"up", "ALERTS"}
"""Series that Prometheus itself writes."""
OF_SLICES = {series.ACTIVITY, series.SM_ACTIVITY, series.TENSOR_ACTIVITY, series.DRAM_ACTIVITY, series.MEMORY_RATIO}
OF_EXPORTER = {spelling.name for field in LISTED for spelling in field.spellings}
FLEETS = {
    strategy: a_fleet(a_pool(price=2.5), a_pool("training", "A30-24GB", ({"2g.12gb": 2}, None)), strategy=strategy)
    for strategy in Strategy
}

Named = tuple[str, str]


def of_panels(fleet: MonitoredFleet) -> list[Named]:
    return list(chain.from_iterable(queries(text) for text in dashboards(fleet).values()))


def of_rules(fleet: MonitoredFleet) -> list[Named]:
    groups = [*recording_groups(fleet), *alert_groups(fleet, Thresholds(), "https://example.com/monitoring.md")]
    return [(str(rule), rule.expr) for group in groups for rule in group.rules]


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)
def test_every_query_of_a_panel_is_promql(fleet: MonitoredFleet) -> None:
    for _, expr in of_panels(fleet):
        promql_parser.parse(expr)


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)
def test_panels_read_only_recorded_series(fleet: MonitoredFleet) -> None:
    for panel, expr in of_panels(fleet):
        assert names(expr) <= RECORDED | OF_PROMETHEUS, f"{panel} reads what no rule records"


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)
def test_panels_do_not_add_up_or_average_unequal_slices(fleet: MonitoredFleet) -> None:
    for panel, expr in of_panels(fleet):
        assert not averaged(expr, OF_SLICES), f"{panel} must read {series.GPU_ACTIVITY}, which weighs slices"


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)
def test_no_query_counts_a_value_of_a_board_once_per_slice(fleet: MonitoredFleet) -> None:
    for place, expr in [*of_panels(fleet), *of_rules(fleet)]:
        assert not counted_twice(expr), place


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)
def test_no_query_reads_a_field_that_a_gpu_with_mig_does_not_have(fleet: MonitoredFleet) -> None:
    blank = {spelling.name for field in BLANK for spelling in field.spellings}
    assert "DCGM_FI_DEV_GPU_UTIL" in blank
    for place, expr in [*of_panels(fleet), *of_rules(fleet)]:
        assert not names(expr) & blank, place


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)
def test_rules_read_only_fields_of_our_list(fleet: MonitoredFleet) -> None:
    for place, expr in of_rules(fleet):
        assert {name for name in names(expr) if name.startswith("DCGM_")} <= OF_EXPORTER, place


@pytest.mark.parametrize(
    ("expr", "why"),
    [
        ("sum(DCGM_FI_DEV_POWER_USAGE)", "a GPU with four slices has four times its power"),
        ("avg by (node) (DCGM_FI_DEV_GPU_TEMP)", "a GPU with more slices counts more"),
        ("max by (node, GPU_I_ID) (DCGM_FI_DEV_POWER_USAGE)", "one row per slice, which another query may add up"),
        ("sum(sum by (UUID) (DCGM_FI_DEV_POWER_USAGE))", "the inner sum has it already"),
        ("DCGM_FI_DEV_POWER_USAGE", "one row per slice"),
    ],
)
def test_the_law_about_boards_finds_what_it_forbids(expr: str, why: str) -> None:
    assert counted_twice(expr) == [expr[expr.index("DCGM") :].rstrip(")")], why


def test_the_law_about_boards_allows_one_value_per_gpu() -> None:
    assert counted_twice("sum(max by (node, UUID) (DCGM_FI_DEV_POWER_USAGE))") == []


def test_the_law_about_slices_finds_averages() -> None:
    assert averaged(f"avg by (node) ({series.ACTIVITY})", OF_SLICES) == {series.ACTIVITY}
    assert averaged(f"sum(max by (node) ({series.ACTIVITY} and x))", OF_SLICES) == {series.ACTIVITY}
    assert averaged(f"max({series.ACTIVITY})", OF_SLICES) == set()


def test_variables_are_replaced_in_each_of_their_forms() -> None:
    text = 'x{pool="$pool", node=~"${node:regex}"}[$__rate_interval] ${datasource} "$1"'
    assert substituted(text, pool="a", node="b") == 'x{pool="a", node=~"b"}[2m] prometheus "$1"'


def test_no_variable_is_left_in_a_query() -> None:
    for panel, expr in of_panels(FLEETS[Strategy.MIXED]):
        assert not re.search(r"\$(?!\d)", expr), f"{panel}: {expr}"


def test_queries_have_the_title_of_their_panel() -> None:
    text = json.dumps(
        {"panels": [{"type": "row", "panels": []}, {"type": "stat", "title": "A", "targets": [{"expr": "x"}]}]}
    )
    assert queries(text) == [("A", "x")]
