"""What is read of a Prometheus: recorded series only, in queries that it can afford."""

import re
from dataclasses import dataclass

import promql_parser
import pytest

from mig_fleet.advice import queries
from mig_fleet.advice.errors import PrometheusError
from mig_fleet.advice.measurement import COUNTED, Measurement, Quantity
from mig_fleet.advice.prometheus import Row
from mig_fleet.advice.reading import NODES_PER_QUERY, measure, nodes_of, require_rules
from mig_fleet.advice.window import STEP_S, Window
from mig_fleet.monitoring import series
from tests.advice.measurements import WINDOW, a_measurement
from tests.advice.recorded import Recorded

QUERIES = [
    queries.RULES_LOADED,
    queries.nodes_of('a "pool" \\ of é'),
    queries.samples(["n1", "n2.example.com"], WINDOW),
    *(queries.samples_with_pod(name, ["n1"], WINDOW) for name in COUNTED),
    *(queries.of_quantity(quantity, ["n1"], WINDOW) for quantity in Quantity),
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_promql_and_reads_only_recorded_series(query: str) -> None:
    promql_parser.parse(query)
    recorded = {value for value in vars(series).values() if isinstance(value, str)}
    read = re.findall(r"\bmig:[\w:]+", query)
    assert read and set(read) <= recorded
    assert "DCGM" not in query


def test_a_dot_in_a_name_matches_only_a_dot() -> None:
    assert 'node=~"n2[.]example[.]com"' in queries.samples(["n2.example.com"], WINDOW)


def test_a_slice_is_as_busy_as_its_engine_or_its_sms() -> None:
    query = queries.of_quantity(Quantity.BUSY, ["n1"], WINDOW)
    assert f'__name__=~"{series.ACTIVITY}|{series.SM_ACTIVITY}"' in query


def test_the_measurements_are_those_of_the_series() -> None:
    given = [a_measurement(gpu=1), a_measurement("1g.10gb", "n2", 0, "9", busy=0.5, with_pod=0.3, reported=0.8)]
    assert measure(Recorded(given), ["n1", "n2"], WINDOW) == sorted(given, key=lambda each: each.slice)


def test_nodes_that_were_not_asked_for_are_not_read() -> None:
    assert measure(Recorded([a_measurement(node="n2")]), ["n1"], WINDOW) == []


def test_a_large_fleet_is_read_in_parts() -> None:
    names = [f"n{number}" for number in range(3 * NODES_PER_QUERY - 1)]
    source = Recorded([a_measurement(node=name) for name in names])
    assert {each.slice.node for each in measure(source, names + names, WINDOW)} == set(names)
    assert len(source.asked) == 3 * (1 + len(COUNTED) + len(Quantity))
    assert all(query.count("|n") < NODES_PER_QUERY for query in source.asked)


def test_one_query_reads_fewer_samples_than_prometheus_allows() -> None:
    slices, names, limit = 56, 4, 50_000_000
    assert NODES_PER_QUERY * slices * names * Window.parse("90d").samples < limit


def test_without_the_rules_the_remedy_is_printed() -> None:
    require_rules(Recorded())
    with pytest.raises(PrometheusError, match=r"the rules of mig-fleet are not loaded .*docs/reference/monitoring\.md"):
        require_rules(Recorded(rules=False))


def test_only_names_of_nodes_are_nodes() -> None:
    names = ["n2", "n1", "n1", 'x"} or vector(1) #', "N1", "", "a|b", "x\n"]
    assert nodes_of(Recorded(nodes={"serving": names}), "serving") == ("n1", "n2")


@dataclass
class Hostile:
    """Answers each query with one row."""

    row: Row

    def query(self, _promql: str) -> list[Row]:
        return [self.row]


GOOD = {"node": "n1", "gpu": "0", "uuid": "GPU-1", "slice": "1", "profile": "1g.10gb"}


@pytest.mark.parametrize(
    "row",
    [
        Row({}, 1.0),
        Row({**GOOD, "gpu": "x"}, 1.0),
        Row({**GOOD, "gpu": "-1"}, 1.0),
        Row({**GOOD, "gpu": "9" * 5000}, 1.0),
        Row({**GOOD, "gpu": "²"}, 1.0),
        Row({**GOOD, "gpu": "٣"}, 1.0),
        Row({**GOOD, "gpu": "9999"}, 1.0),
        Row({**GOOD, "slice": ""}, 1.0),
        Row({**GOOD, "profile": "x" * 301}, 1.0),
        Row(GOOD, -0.1),
    ],
    ids=lambda row: str(row)[:60],
)
def test_a_row_that_is_of_no_slice_is_left_out(row: Row) -> None:
    assert measure(Hostile(row), ["n1"], WINDOW) == []


def test_a_value_that_is_absent_is_not_measured() -> None:
    source = Recorded([Measurement(a_measurement().slice)])
    (found,) = measure(source, ["n1"], WINDOW)
    assert found.values == {} and found.with_pod == {}


@pytest.mark.parametrize(
    ("text", "seconds"), [("14d", 1_209_600), ("2w", 1_209_600), ("36h", 129_600), ("1d", 86_400), ("90d", 7_776_000)]
)
def test_a_window_is_whole_hours(text: str, seconds: int) -> None:
    window = Window.parse(text)
    assert window.seconds == seconds and window.samples == seconds // STEP_S
    assert Window.parse(str(window)) == window


@pytest.mark.parametrize("text", ["", "14", "23h", "91d", "14 d", "-1d", "1.5d", "14D", "٣d", "99999999999d"])
def test_another_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be 1d to 90d, such as 14d, 2w or 36h"):
        Window.parse(text)
