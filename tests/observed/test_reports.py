"""Reports are read from the probes' ConfigMaps, and their age by the API server's clock."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.report import Gpu, Report
from mig_fleet.observed.reports import read_reports
from tests.model.reports import reports

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class OneList(Cluster):
    """One LIST, and the server's time in its answer."""

    def __init__(self, *items: dict[str, Any], server_time: datetime | None = NOW) -> None:
        self.items, self.server_time = list(items), server_time

    def read(self, path: str, shape: Any, query: Mapping[str, str] | None = None) -> Any:
        assert (path, query) == (
            "/api/v1/namespaces/mig-fleet/configmaps",
            {"labelSelector": "mig-fleet.dev/report=true"},
        )
        return msgspec.convert({"items": self.items}, shape)


def a_config_map(node: str = "n1", text: str | None = None, **metadata: Any) -> dict[str, Any]:
    """A report that its probe wrote a minute ago."""
    report = Report(node, "580.126.09", config="dense-1c0ffee2", state="success", gpus=())
    facts = {
        "name": labels.REPORT_PREFIX + node,
        "creationTimestamp": "2026-11-01T00:00:00Z",
        "managedFields": [{"manager": "mig-probe", "time": "2026-11-23T11:59:00Z"}],
    }
    return {
        "metadata": {**facts, **metadata},
        "data": {labels.REPORT_KEY: report.to_json() if text is None else text},
    }


def ages_s(*items: dict[str, Any], server_time: datetime | None = NOW) -> dict[str, float | None]:
    found = read_reports(OneList(*items, server_time=server_time), "mig-fleet")
    return {node: received.age_s for node, received in found.items()}


def test_the_age_of_a_report_is_that_of_the_probes_last_write_by_the_servers_clock() -> None:
    assert ages_s(a_config_map()) == {"n1": 60.0}


def test_a_write_of_another_client_does_not_make_a_report_younger() -> None:
    entries = [
        {"manager": "mig-probe", "time": "2026-11-23T11:00:00Z"},
        {"manager": "kubectl-annotate", "time": "2026-11-23T11:59:59Z"},
    ]
    assert ages_s(a_config_map(managedFields=entries)) == {"n1": 3600.0}


def test_the_latest_of_several_entries_counts() -> None:
    entries = [
        {"manager": "mig-probe", "time": "2026-11-23T11:58:00Z"},
        {"manager": "mig-probe", "operation": "Apply", "time": "2026-11-23T11:50:00Z"},
        {"manager": "mig-probe"},
    ]
    assert ages_s(a_config_map(managedFields=entries)) == {"n1": 120.0}


def test_a_report_without_a_recorded_write_of_the_probe_is_as_old_as_its_config_map() -> None:
    assert ages_s(a_config_map(managedFields=[])) == {"n1": 22.5 * 24 * 3600}


def test_the_age_is_unknown_if_the_server_sends_no_time() -> None:
    assert ages_s(a_config_map(), server_time=None) == {"n1": None}


def test_an_answer_that_is_dated_a_second_before_the_write_gives_no_negative_age() -> None:
    assert ages_s(a_config_map(managedFields=[{"manager": "mig-probe", "time": "2026-11-23T12:00:01Z"}])) == {"n1": 0}


def nested_report(levels: int) -> str:
    """A report with one GPU; in place of its instances it has lists in lists, ``levels`` deep."""
    report = json.loads(Report("n1", "", None, None, (Gpu(0, "", "", "", None, None, None, ()),)).to_json())
    report["gpus"][0]["instances"] = "NESTED"
    return json.dumps(report).replace('"NESTED"', "[" * levels + "]" * levels)


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", '{"version": 2}', "[]", *map(nested_report, (600, 900, 60_000)), "\ud800"],
    ids=lambda text: repr(text[:20]),
)
def test_an_unreadable_report_is_ignored(text: str) -> None:
    assert ages_s(a_config_map(text=text), a_config_map("n2")) == {"n2": 60.0}


def test_a_report_counts_only_for_the_node_in_the_name_of_its_config_map() -> None:
    assert ages_s(a_config_map("n1", name="mig-report-n2")) == {}


VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-1, 2) | st.just(1.0) | st.text(max_size=2) | st.just([]) | st.just({})
)


def paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of a document and of every value in it."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(inner for key, value in items for inner in paths(value, (*path, key)))]


@given(reports, st.data())
def test_a_received_report_is_what_the_strict_reader_reads(report: Report, data: st.DataObject) -> None:
    document = [json.loads(report.to_json())]
    *steps, last = data.draw(st.sampled_from(paths(document)[1:]))
    target: Any = document
    for step in steps:
        target = target[step]
    target[last] = data.draw(VALUES)
    if isinstance(target, dict) and data.draw(st.booleans()):
        target[data.draw(st.text(max_size=2))] = 1
    text = json.dumps(document[0])
    try:
        strict: Report | None = Report.from_json(text)
    except InvalidReport:
        strict = None
    node = strict.node if strict else report.node
    found = read_reports(OneList(a_config_map(node, text)), "mig-fleet").get(node)
    assert repr(found.report if found else None) == repr(strict), (
        "1, 1.0 and true are equal in Python, but not the same value"
    )
