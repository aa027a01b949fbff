"""When the probe opens NVML, and when it publishes."""

from collections.abc import Callable
from typing import Any

import pytest

from mig import labels
from mig.report import Report
from probe import watch
from probe.kubernetes import ApiError


class Server:
    """An API server that remembers; each look at the node takes the next of its label sets, the last one stays."""

    def __init__(self, *looks: dict[str, str]) -> None:
        self.looks = list(looks)
        self.published: list[dict[str, Any]] = []

    def node(self, name: str) -> dict[str, Any]:
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return {"metadata": {"name": name, "uid": "u1", "labels": found, "annotations": {labels.ATTEMPT: "4"}}}

    def publish(self, config_map: dict[str, Any]) -> None:
        self.published.append(config_map)

    def reports(self) -> list[Report]:
        return [Report.from_json(c["data"][labels.REPORT_KEY]) for c in self.published]


SETTLED = {labels.CONFIG: "dense-1c0ffee2", labels.STATE: "success"}


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The nodes NVML was opened for."""
    opened: list[str] = []

    def read(node: str) -> Report:
        opened.append(node)
        return Report(node=node, driver_version="580.126.09", config=None, state=None, gpus=())

    monkeypatch.setattr(watch, "read_in_own_process", read)
    return opened


def once(server: Server, published: str | None = None) -> str | None:
    return watch.once(server, "n1", published)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["pending", "rebooting"])
def test_nvml_stays_closed_while_mig_manager_works(readings: list[str], state: str) -> None:
    server = Server({labels.CONFIG: "dense-1c0ffee2", labels.STATE: state})
    once(server)
    assert (readings, server.published) == ([], [])


def test_a_report_names_the_config_state_and_attempt_it_saw(readings: list[str]) -> None:
    server = Server(SETTLED)
    once(server)
    (report,) = server.reports()
    assert (report.config, report.state, report.attempt) == ("dense-1c0ffee2", "success", "4")


def test_a_reading_during_which_the_labels_moved_is_thrown_away(readings: list[str]) -> None:
    server = Server(SETTLED, {**SETTLED, labels.STATE: "pending"})
    once(server)
    assert readings == ["n1"]
    assert server.published == [], "it would belong to no config"


def test_what_did_not_change_is_not_published_again(readings: list[str]) -> None:
    server = Server(SETTLED)
    text = once(server)
    assert once(server, text) == text
    assert len(server.published) == 1


def test_a_report_goes_when_its_node_goes(readings: list[str]) -> None:
    server = Server(SETTLED)
    once(server)
    (config_map,) = server.published
    assert config_map["metadata"]["name"] == "mig-report-n1"
    assert config_map["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u1"}
    ]


def test_an_api_server_that_does_not_answer_is_not_the_end_of_the_probe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Enough(Exception):
        """Ends the endless loop under test."""

    def refuse(*_: object) -> None:
        raise ApiError("GET /api/v1/nodes/n1", 0, "connection refused")

    def stop_after_two(rounds: list[float]) -> Callable[[float], None]:
        def sleep(seconds: float) -> None:
            rounds.append(seconds)
            if len(rounds) == 2:
                raise Enough

        return sleep

    monkeypatch.setattr(watch, "Api", lambda: None)
    monkeypatch.setattr(watch, "once", refuse)
    monkeypatch.setattr(watch.time, "sleep", stop_after_two([]))
    with pytest.raises(Enough):
        watch.watch("n1", 15)
    assert capsys.readouterr().err.count("GET /api/v1/nodes/n1: connection refused") == 2
