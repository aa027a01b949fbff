"""What is made of the probes' ConfigMaps, and how old they are by the API server's clock."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model import labels
from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.report import Gpu, Report
from mig_fleet.observed.reports import heard
from tests.model.reports import reports

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Cluster:
    """One LIST and the time at which the server answered it."""

    def __init__(self, *items: dict[str, Any], server_time: datetime | None = NOW) -> None:
        self.items, self.server_time = list(items), server_time

    def read(self, path: str, shape: Any, query: dict[str, str]) -> Any:
        assert (path, query) == (
            "/api/v1/namespaces/mig-fleet/configmaps",
            {"labelSelector": "mig-fleet.dev/report=true"},
        )
        return msgspec.convert({"items": self.items}, shape)


def a_config_map(node: str = "n1", text: str | None = None, **metadata: Any) -> dict[str, Any]:
    """As a probe wrote it a minute ago."""
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


def silence(*items: dict[str, Any], server_time: datetime | None = NOW) -> dict[str, float | None]:
    found = heard(Cluster(*items, server_time=server_time), "mig-fleet")  # type: ignore[arg-type]
    return {node: said.silent_s for node, said in found.items()}


def test_a_report_is_as_old_as_the_probes_last_write_by_the_servers_clock() -> None:
    assert silence(a_config_map()) == {"n1": 60.0}


def test_a_write_of_somebody_else_is_no_sign_of_life() -> None:
    entries = [
        {"manager": "mig-probe", "time": "2026-11-23T11:00:00Z"},
        {"manager": "kubectl-annotate", "time": "2026-11-23T11:59:59Z"},
    ]
    assert silence(a_config_map(managedFields=entries)) == {"n1": 3600.0}


def test_the_latest_of_several_entries_counts() -> None:
    entries = [
        {"manager": "mig-probe", "time": "2026-11-23T11:58:00Z"},
        {"manager": "mig-probe", "operation": "Apply", "time": "2026-11-23T11:50:00Z"},
        {"manager": "mig-probe"},
    ]
    assert silence(a_config_map(managedFields=entries)) == {"n1": 120.0}


def test_a_report_that_no_probe_is_known_to_have_written_is_as_old_as_its_object() -> None:
    assert silence(a_config_map(managedFields=[])) == {"n1": 22.5 * 24 * 3600}


def test_nobody_can_tell_the_age_where_the_server_tells_no_time() -> None:
    assert silence(a_config_map(), server_time=None) == {"n1": None}


def test_a_server_whose_answer_is_a_second_behind_its_own_stamp_makes_no_negative_age() -> None:
    assert silence(a_config_map(managedFields=[{"manager": "mig-probe", "time": "2026-11-23T12:00:01Z"}])) == {"n1": 0}


def a_tower(levels: int) -> str:
    """A report with one GPU whose instances are nothing but depth."""
    report = json.loads(Report("n1", "", None, None, (Gpu(0, "", "", "", None, None, None, ()),)).to_json())
    report["gpus"][0]["instances"] = "TOWER"
    return json.dumps(report).replace('"TOWER"', "[" * levels + "]" * levels)


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", '{"version": 2}', "[]", *map(a_tower, (600, 900, 60_000)), "\ud800"],
    ids=lambda text: repr(text[:20]),
)
def test_an_unreadable_report_is_as_good_as_none(text: str) -> None:
    assert silence(a_config_map(text=text), a_config_map("n2")) == {"n2": 60.0}


def test_a_report_speaks_only_for_the_node_it_is_named_after() -> None:
    assert silence(a_config_map("n1", name="mig-report-n2")) == {}


VALUES = st.none() | st.booleans() | st.integers(-1, 2) | st.just(1.0) | st.text(max_size=2) | st.just([]) | st.just({})


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a document, itself included."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


@given(reports, st.data())
def test_what_is_heard_is_what_the_strict_reader_reads(report: Report, data: st.DataObject) -> None:
    document = [json.loads(report.to_json())]
    *steps, last = data.draw(st.sampled_from(places(document)[1:]))
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
    found = heard(Cluster(a_config_map(node, text)), "mig-fleet").get(node)  # type: ignore[arg-type]
    assert repr(found.report if found else None) == repr(strict), "1, 1.0 and true are equal, and not the same"
