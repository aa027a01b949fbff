"""The text of the recording rules: what needs no Prometheus."""

import re
import subprocess
import sys
from collections import Counter
from itertools import chain

import promql_parser
import pytest

from mig_fleet.model.gpus import GpuModel, all_models
from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring import series
from mig_fleet.monitoring.exporter.fields import BLANK, LISTED
from mig_fleet.monitoring.fleet import MonitoredFleet, MonitoredPool
from mig_fleet.monitoring.promql import number, one_of, text
from mig_fleet.monitoring.recording import recording_groups
from mig_fleet.monitoring.recording.nodes import WAVE
from mig_fleet.monitoring.rules import Record, rule_file, rule_text
from mig_fleet.monitoring.spellings import catalog_names
from mig_fleet.rollout.batching import Pace, waves
from tests.monitoring.fleets import a_fleet, a_pool
from tests.monitoring.promtool import Promtool

NAMES = {value for value in vars(series).values() if isinstance(value, str) and value.startswith("mig:")}
RECORDED = re.compile(r"mig:[a-z_]+:[a-z_]+")
EXPORTED = re.compile(r"DCGM_[A-Z0-9_]+")
FLEETS = [
    a_fleet(a_pool(price=2.5), a_pool("training", "A30-24GB", ({"2g.12gb": 2}, None)), strategy=strategy)
    for strategy in Strategy
]
MANY_POOLS = a_fleet(*(a_pool(f"pool-{number}", price=2.5) for number in range(9)))


def records(fleet: MonitoredFleet) -> list[Record]:
    found = list(chain.from_iterable(group.rules for group in recording_groups(fleet)))
    return [rule for rule in found if isinstance(rule, Record)]


@pytest.mark.parametrize("fleet", [*FLEETS, MonitoredFleet(())], ids=[*Strategy, "no pools"])
def test_every_expression_is_promql(fleet: MonitoredFleet) -> None:
    for record in records(fleet):
        promql_parser.parse(record.expr)


def test_exactly_the_documented_series_are_recorded() -> None:
    assert {record.record for record in records(FLEETS[-1])} == NAMES


@pytest.mark.parametrize("fleet", FLEETS, ids=list(Strategy))
def test_a_group_reads_only_what_it_or_an_earlier_group_recorded(fleet: MonitoredFleet) -> None:
    known: set[str] = set()
    for record in records(fleet):
        assert not set(RECORDED.findall(record.expr)) - known, record
        known.add(record.record)


def test_only_fields_of_our_lists_are_read_and_both_names_of_each() -> None:
    read = {name for record in records(FLEETS[0]) for name in EXPORTED.findall(record.expr)}
    known = {spelling.name for field in LISTED for spelling in field.spellings}
    assert read <= known
    assert not read & {spelling.name for field in BLANK for spelling in field.spellings}
    for field in LISTED:
        names = {spelling.name for spelling in field.spellings}
        assert names <= read or not names & read, "a rule that reads one name is empty after an upgrade of the exporter"


@pytest.mark.parametrize("fleet", FLEETS, ids=list(Strategy))
def test_no_two_records_have_the_same_name_and_labels(fleet: MonitoredFleet) -> None:
    counts = Counter((record.record, tuple(record.labels.items())) for record in records(fleet))
    assert set(counts.values()) == {1}


def test_the_names_of_waves_are_read_as_those_that_a_rollout_gives() -> None:
    names = waves([f"node-{number}" for number in range(40)], Pace(max_unavailable=1, canary=1))
    assert names, "no waves"
    pools = ("inference", "inference-wave-0", "a-canary")
    for pool in pools:
        for wave in names:
            found = re.fullmatch(f"({one_of(pools)}){WAVE}", f"{pool}-{wave}")
            assert found is not None, wave
            assert found[1] == pool


def test_one_term_for_all_pools_with_the_same_slices_keeps_the_file_small() -> None:
    configs = {f"config-{sevenths}": [{"1g.10gb": sevenths}] for sevenths in range(1, 8)}
    fleet = a_fleet(*(MonitoredPool(f"pool-{number:02}", "H100-80GB", 1, configs, 2.5) for number in range(20)))
    (declared,) = [record for record in records(fleet) if record.record == series.DECLARED]
    assert declared.expr.count(series.NODE) == len(configs)
    assert len(rule_text(rule_file(recording_groups(fleet)))) < 64 * 1024


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.short)
def test_a_spelling_means_one_profile_of_a_model_and_no_profile_loses_its_name(model: GpuModel) -> None:
    names = catalog_names(model)
    assert {name for name in model.profiles if names[name] == name} == set(model.profiles)
    rounded = [
        {(row.profile.slices, row.profile.attributes, row.profile.removed, round(mib / 1024)) for mib in sizes}
        for row in model.profiles.values()
        if (sizes := [mib for mib in (row.memory_mib, *row.memory_mib_other_drivers) if mib])
    ]
    assert sum(map(len, rounded)) == len(set().union(*rounded)), "two profiles have the same spelling"


@pytest.mark.parametrize(
    ("gpu", "spelling", "name", "source"),
    [
        ("H100-94GB", "1g.11gb", "1g.12gb", "dcgm-exporter #544"),
        ("A100-80GB", "7g.79gb", "7g.80gb", "dcgm-exporter #713"),
        ("GB200-186GB", "1g.24gb", "1g.23gb", "the catalog's name of early boards"),
        ("H100-96GB", "1g.24gb", "1g.24gb", "the catalog's own name"),
    ],
)
def test_a_known_spelling_of_the_exporter_is_mapped(gpu: str, spelling: str, name: str, source: str) -> None:
    assert catalog_names(gpu)[spelling] == name, source


def test_strings_and_numbers_are_exact() -> None:
    assert text('a"b\\c') == '"a\\"b\\\\c"'
    assert one_of(["1g.10gb+me", "a"]) == "1g[.]10gb[+]me|a"
    assert [float(number(value)) for value in (0.1, 1 / 7, 1e-9, 5)] == [0.1, 1 / 7, 1e-9, 5]
    assert number(2**20) == "1048576"


def test_the_same_fleet_has_the_same_text_in_another_process() -> None:
    """A set is in another order there."""
    program = (
        "from mig_fleet.monitoring.recording import recording_groups\n"
        "from mig_fleet.monitoring.rules import rule_file, rule_text\n"
        "from tests.monitoring.test_recording import MANY_POOLS\n"
        "print(rule_text(rule_file(recording_groups(MANY_POOLS))))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == rule_text(rule_file(recording_groups(MANY_POOLS))).strip()


@pytest.mark.engine
@pytest.mark.parametrize("fleet", [*FLEETS, MonitoredFleet(())], ids=[*Strategy, "no pools"])
def test_prometheus_accepts_the_rules(promtool: Promtool, fleet: MonitoredFleet) -> None:
    promtool.check(recording_groups(fleet))
