"""Reports are read from the probes' ConfigMaps, and their age by the API server's clock."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.lists import decode_items
from mig_fleet.model import labels
from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.report import Gpu, Report
from mig_fleet.observed.reports import read_reports
from tests.model.reports import a_gpu, a_report, an_instance, reports

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class OneList(Cluster):
    """One LIST, and the server's time in its answer."""

    def __init__(self, *items: dict[str, Any], server_time: datetime | None = NOW) -> None:
        self.items, self.server_time = list(items), server_time

    def read_items(self, path: str, shape: Any, query: Mapping[str, str] | None = None) -> Any:
        assert (path, query) == (
            "/api/v1/namespaces/mig-fleet/configmaps",
            {"labelSelector": "mig-fleet.dev/report=true"},
        )
        return decode_items(json.dumps({"items": self.items}).encode(), shape)


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
    return {node: received.age_s for node, received in found.items() if received.report}


def test_the_age_of_a_report_is_that_of_the_probes_last_write_by_the_servers_clock() -> None:
    assert ages_s(a_config_map()) == {"n1": 60.0}


def unreadable(item: dict[str, Any]) -> str:
    """Why the report of ``n1`` cannot be read."""
    found = read_reports(OneList(item), "mig-fleet")["n1"]
    assert found.report is None
    assert found.unreadable.isprintable()
    return found.unreadable


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


LIKE_NO_OTHER = a_report(a_gpu(0), a_gpu(1)).to_json().replace('"like":0', '"like":2')


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", '{"version": 2}', "[]", *map(nested_report, (600, 900, 60_000)), LIKE_NO_OTHER, "\ud800"],
    ids=lambda text: repr(text[:20]),
)
def test_an_unreadable_report_is_no_report_and_hides_no_other(text: str) -> None:
    assert ages_s(a_config_map(text=text), a_config_map("n2")) == {"n2": 60.0}
    assert unreadable(a_config_map(text=text)).startswith(("not a report of mig-fleet: ", "its ConfigMap: "))


@pytest.mark.parametrize("time", ["yesterday", "2026-11-23T11:59:00", "2026-11-23", "9" * 5000, "²026-11-23T11:59:00Z"])
def test_a_report_whose_time_cannot_be_read_is_no_report(time: str) -> None:
    item = a_config_map(managedFields=[{"manager": "mig-probe", "time": time}])
    assert ages_s(item, a_config_map("n2")) == {"n2": 60.0}
    assert "which is not a time with a zone" in unreadable(item)


@pytest.mark.parametrize(
    "odd", [{"data": [1]}, {"data": {"report.json": 7}}, {"metadata": {"name": "mig-report-n1", "labels": 1}}]
)
def test_a_config_map_of_another_shape_hides_no_other_report(odd: dict[str, Any]) -> None:
    item = {**a_config_map(), **odd}
    assert ages_s(item, a_config_map("n2")) == {"n2": 60.0}
    assert unreadable(item).startswith("its ConfigMap: Expected ")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"errors": ["\x1b[2Kverified"]},
            r"errors[0]: must be a printable text of at most 1000 characters, found '\x1b[2K",
        ),
        ({"errors": ["x" * 1001]}, "errors[0]: must be a printable text"),
        ({"state": "\u202esuccess"}, r"state: must be a printable text of at most 1000 characters, found '\u202e"),
        ({"node": "n1\n"}, r"node: must be a node's name, found 'n1\n'"),
        ({"gpus[0].uuid": "GPU-²"}, "gpus[0].uuid: must be a GPU's UUID"),
        ({"gpus[0].pci_id": "0x233010de"}, "gpus[0].pci_id: must be a PCI device ID"),
        ({"gpus[0].index": 2**31}, "gpus[0].index: must be at most 2147483647"),
        (
            {"profile": "1g.10gb\x9b2J"},
            r"profile: must be a profile, such as 1g.10gb, or unknown(NUMBER), found '1g.10gb\x9b2J'",
        ),
        ({"\x1b[2K": 1}, r"\x1b[2K: unknown key"),
    ],
    ids=str,
)
def test_a_report_whose_values_break_its_grammar_is_no_report_and_the_value_is_shown_as_an_escape(
    change: dict[str, Any], why: str
) -> None:
    document = json.loads(a_report(a_gpu(0, an_instance(1, "1g.10gb", 0, 1))).to_json()) | {"node": "n1"}
    for key, value in change.items():
        gpu = document["gpus"][0]
        target = gpu if "gpus" in key else gpu["instances"][0] if key == "profile" else document
        target[key.rpartition(".")[2]] = value
    assert why in unreadable(a_config_map(text=json.dumps(document)))


def test_the_printable_texts_of_a_report_are_read_whatever_their_script() -> None:
    report = Report("n1", "580.126.09", None, "success", (), errors=("GPU 0: größer als ²",))
    assert read_reports(OneList(a_config_map(text=report.to_json())), "mig-fleet")["n1"].report == report


@pytest.mark.parametrize("older", [(), ("profile_names",)], ids=["equal GPUs written once", "by an older probe"])
def test_a_usual_report_needs_no_strict_reader(older: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = (replace(a_gpu(index, an_instance(1, "3g.40gb", 0, 4)), profile_names=("3g.40gb",)) for index in range(8))
    report = replace(a_report(*gpus), node="n1")
    if older:
        report = replace(report, gpus=tuple(replace(gpu, profile_names=None) for gpu in report.gpus))
        in_full = [{key: value for key, value in asdict(gpu).items() if key not in older} for gpu in report.gpus]
        text = json.dumps({**json.loads(report.to_json()), "version": 1, "gpus": in_full}, separators=(",", ":"))
    else:
        text = report.to_json()
    monkeypatch.setattr(Report, "from_json", None)
    assert read_reports(OneList(a_config_map(text=text)), "mig-fleet")["n1"].report == report


def test_two_gpus_of_one_index_are_no_report() -> None:
    text = a_report(a_gpu(0), a_gpu(1)).to_json().replace('"index":1', '"index":0').replace("gpu-node-1", "n1")
    assert "gpus: must have different indexes, found [0, 0]" in unreadable(a_config_map(text=text))


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


@pytest.mark.parametrize(
    ("odd", "what"),
    [
        ({"data": None, "binaryData": {"report.json": "e30="}}, "has report.json in binaryData"),
        ({"immutable": True}, "is immutable"),
    ],
)
def test_a_config_map_that_no_probe_can_write_is_named_with_the_command_that_deletes_it(odd: Any, what: str) -> None:
    item = {**a_config_map(), **odd}
    found = read_reports(OneList(item, a_config_map("n2")), "mig-fleet")
    assert found["n1"].is_blocked and not found["n2"].is_blocked
    assert unreadable(item) == (
        f"ConfigMap mig-fleet/mig-report-n1 {what}, so no probe can write it; delete it, its probe creates it again: "
        "kubectl -n mig-fleet delete configmap mig-report-n1"
    )
    others = {**a_config_map(), "binaryData": {"other": "e30="}, "immutable": False}
    assert ages_s(others) == {"n1": 60.0}, "another key keeps no probe from writing its report"
