"""When the probe opens NVML, when it publishes, and what it survives."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.probe import watch
from mig_fleet.probe.kubernetes import ApiError
from mig_fleet.probe.watch import Watch, pause


class Server:
    """An API server that remembers; each look at the node takes the next of its label sets, the last one stays."""

    def __init__(self) -> None:
        self.looks: list[dict[str, str]] = [SETTLED]
        self.published: list[dict[str, Any]] = []
        self.refusal: Exception | None = None

    def node(self, name: str) -> dict[str, Any]:
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return {"metadata": {"name": name, "uid": "u1", "labels": found, "annotations": {labels.ATTEMPT: "4"}}}

    def publish(self, config_map: dict[str, Any]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.published.append(config_map)

    def reports(self) -> list[Report]:
        return [Report.from_json(c["data"][labels.REPORT_KEY]) for c in self.published]

    def heartbeats(self) -> list[str]:
        return [c["metadata"]["annotations"][labels.HEARTBEAT] for c in self.published]


class Nvml:
    """A driver that notes for which nodes it was opened."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.errors: tuple[str, ...] = ()

    def read(self, node: str) -> Report:
        self.opened.append(node)
        return Report(node, "580.126.09", config=None, state=None, gpus=(), errors=self.errors)


class Clock:
    """Time that passes only by sleeping; ends the endless loop under test after so many sleeps."""

    def __init__(self) -> None:
        self.now, self.slept, self.last = 1000.0, list[float](), 10**6

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if len(self.slept) == self.last:
            raise Enough


class Enough(BaseException):
    """Nothing in the loop may catch it."""


SETTLED = {labels.CONFIG: "dense-1c0ffee2", labels.STATE: "success"}
PENDING = {**SETTLED, labels.STATE: "pending"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(watch, "Api", lambda: server)
    return server


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    nvml = Nvml()
    monkeypatch.setattr(watch, "Apart", lambda: nvml)
    return nvml


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    monkeypatch.setattr(watch.signal, "signal", lambda *_: None)
    return clock


@pytest.fixture
def life(server: Server, nvml: Nvml, clock: Clock) -> Watch:
    return Watch("n1", heartbeat_s=100)


@pytest.mark.parametrize("state", ["pending", "rebooting"])
def test_nvml_stays_closed_while_mig_manager_works(life: Watch, server: Server, nvml: Nvml, state: str) -> None:
    server.looks = [{**SETTLED, labels.STATE: state}]
    life.round()
    assert (nvml.opened, server.published) == ([], [])


def test_a_report_names_the_config_state_and_attempt_it_saw(life: Watch, server: Server) -> None:
    life.round()
    (report,) = server.reports()
    assert (report.config, report.state, report.attempt) == ("dense-1c0ffee2", "success", "4")


def test_a_reading_during_which_the_labels_moved_is_thrown_away(life: Watch, server: Server, nvml: Nvml) -> None:
    server.looks = [SETTLED, PENDING]
    life.round()
    assert nvml.opened == ["n1"]
    assert server.published == [], "it would belong to no config"


def test_what_did_not_change_is_published_again_only_as_a_heartbeat(life: Watch, server: Server, clock: Clock) -> None:
    for _ in range(8):
        life.round()
        clock.sleep(15)
    assert len(server.published) == 2, "at once, and after 100 s"
    first, second = server.reports()
    assert first == second
    assert len(set(server.heartbeats())) == 2, "an unchanged object would not be stamped by the API server"


def test_a_change_does_not_wait_for_the_heartbeat(life: Watch, server: Server, nvml: Nvml) -> None:
    life.round()
    nvml.errors = ("nvmlInit: Driver Not Loaded",)
    life.round()
    assert [report.errors for report in server.reports()] == [(), ("nvmlInit: Driver Not Loaded",)]


def test_the_heart_beats_while_mig_manager_works_and_says_what_was_true_before(
    life: Watch, server: Server, nvml: Nvml, clock: Clock
) -> None:
    life.round()
    server.looks = [PENDING]
    clock.sleep(300)
    life.round()
    assert len(nvml.opened) == 1
    assert [report.state for report in server.reports()] == ["success", "success"]


def test_a_report_that_could_not_be_published_is_published_the_next_time(life: Watch, server: Server) -> None:
    server.refusal = ApiError("PATCH", 403, "forbidden")
    with pytest.raises(ApiError):
        life.round()
    server.refusal = None
    life.round()
    assert len(server.published) == 1


def test_a_report_goes_when_its_node_goes(life: Watch, server: Server) -> None:
    life.round()
    (config_map,) = server.published
    assert config_map["metadata"]["name"] == "mig-report-n1"
    assert config_map["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u1"}
    ]


@pytest.mark.parametrize(
    ("misfortune", "said"),
    [
        (ApiError("GET /api/v1/nodes/n1", 0, "connection refused"), "GET /api/v1/nodes/n1: connection refused"),
        (ApiError("GET /api/v1/nodes/n1", 403, "forbidden"), "GET /api/v1/nodes/n1: answered 403: forbidden"),
        (KeyError("metadata"), "KeyError: 'metadata'; this is a bug in mig-fleet"),
        (MemoryError(), "MemoryError: ; this is a bug in mig-fleet"),
    ],
    ids=["the API server is away", "no rights", "an answer nobody expected", "no memory"],
)
def test_whatever_goes_wrong_the_probe_says_so_and_goes_on_at_growing_intervals(
    server: Server,
    nvml: Nvml,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    misfortune: Exception,
    said: str,
) -> None:
    def fail(*_: object) -> None:
        raise misfortune

    monkeypatch.setattr(server, "node", fail)
    clock.last = 5
    with pytest.raises(Enough):
        watch.watch("n1", 15, 300)
    assert capsys.readouterr().err.count(said) == 5
    assert clock.slept == [30, 60, 60, 60, 60]


def test_after_a_failure_the_pace_is_the_usual_one_again(
    server: Server, nvml: Nvml, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Callable[[], bool]] = [lambda: False, refuse, refuse, lambda: False]
    monkeypatch.setattr(Watch, "round", lambda _: answers.pop(0)())
    clock.last = 4
    with pytest.raises(Enough):
        watch.watch("n1", 15, 300)
    assert clock.slept == [15, 30, 60, 15]


def refuse() -> bool:
    raise ApiError("GET /api/v1/nodes/n1", 500, "etcd is away")


def test_a_node_that_is_being_cut_is_looked_at_every_two_seconds_until_it_is_done(
    server: Server, nvml: Nvml, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter(["success", "pending", "rebooting", "success"])
    monkeypatch.setattr(server, "node", lambda _: {"metadata": {"name": "n1", "uid": "1", "labels": a_state(states)}})
    monkeypatch.setattr(Watch, "_look", lambda *_: None)
    clock.last = 4
    with pytest.raises(Enough):
        watch.watch("n1", 15, 300)
    assert clock.slept == [15, 2, 2, 15]


def a_state(states: Iterator[str]) -> dict[str, str]:
    return {**SETTLED, labels.STATE: next(states)}


def test_an_interval_longer_than_a_minute_is_never_shortened_by_failures() -> None:
    assert [pause(300, failures) for failures in (0, 1, 5, 10**6)] == [300] * 4
