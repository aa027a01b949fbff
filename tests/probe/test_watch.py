"""When the probe opens NVML, when it publishes, and which failures it survives, where it cannot watch its node."""

import signal
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from mig_fleet.model import labels
from mig_fleet.model.report import Allocation, Report
from mig_fleet.probe import node_events, watch
from mig_fleet.probe.kubernetes import ApiError
from mig_fleet.probe.node_events import NodeEvents
from mig_fleet.probe.watch import Watch, next_interval_s


class Server:
    """An API server that records; each read of the node takes the next of the label sets, the last one stays."""

    def __init__(self) -> None:
        self.label_sets: list[dict[str, str]] = [DONE]
        self.published: list[dict[str, Any]] = []
        self.refusal: Exception | None = None

    def node(self, name: str) -> dict[str, Any]:
        found = self.label_sets.pop(0) if len(self.label_sets) > 1 else self.label_sets[0]
        return {"metadata": {"name": name, "uid": "u1", "labels": found, "annotations": {labels.ATTEMPT: "4"}}}

    def watch_node(self, name: str, lifetime_s: int) -> NoReturn:
        raise ApiError(f"WATCH /api/v1/nodes/{name}", 403, f"no right for {lifetime_s} s")

    def publish(self, config_map: dict[str, Any]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.published.append(config_map)

    def reports(self) -> list[Report]:
        return [Report.from_json(c["data"][labels.REPORT_KEY]) for c in self.published]

    def heartbeats(self) -> list[str]:
        return [c["metadata"]["annotations"][labels.HEARTBEAT] for c in self.published]


class Nvml:
    """A driver that records for which nodes it was opened."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.errors: tuple[str, ...] = ()
        self.allocations: tuple[Allocation, ...] | None = None

    def read(self, node: str) -> Report:
        self.opened.append(node)
        return Report(
            node, "580.126.09", config=None, state=None, gpus=(), errors=self.errors, allocations=self.allocations
        )


class Clock:
    """Time that passes only in `sleep`; it ends the endless loop under test after ``last`` sleeps."""

    def __init__(self) -> None:
        self.now, self.slept, self.last = 1000.0, list[float](), 10**6

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if len(self.slept) == self.last:
            raise Ended


class Ended(BaseException):
    """The loop does not catch it."""


DONE = {labels.CONFIG: "dense-1c0ffee2", labels.STATE: "success"}
PENDING = {**DONE, labels.STATE: "pending"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(watch, "Api", lambda: server)
    return server


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    nvml = Nvml()
    monkeypatch.setattr(watch, "NvmlSubprocess", lambda **_: nvml)
    return nvml


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (watch, node_events):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(NodeEvents, "wait", lambda _, seconds, __: clock.sleep(seconds))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return clock


@pytest.fixture
def node_watch(server: Server, nvml: Nvml, clock: Clock) -> Watch:
    return Watch("n1", 15, heartbeat_s=100, nvml=nvml)


@pytest.mark.parametrize("state", ["pending", "rebooting"])
def test_nvml_stays_closed_while_mig_manager_works(node_watch: Watch, server: Server, nvml: Nvml, state: str) -> None:
    server.label_sets = [{**DONE, labels.STATE: state}]
    node_watch.check()
    assert (nvml.opened, server.published) == ([], [])


def test_a_report_has_the_config_state_and_attempt_of_its_reading(node_watch: Watch, server: Server) -> None:
    node_watch.check()
    (report,) = server.reports()
    assert (report.config, report.state, report.attempt) == ("dense-1c0ffee2", "success", "4")


def test_a_reading_during_which_the_labels_changed_is_discarded(node_watch: Watch, server: Server, nvml: Nvml) -> None:
    server.label_sets = [DONE, PENDING]
    node_watch.check()
    assert nvml.opened == ["n1"]
    assert server.published == [], "it would belong to no config"


def test_an_unchanged_report_is_published_again_only_as_a_heartbeat(
    node_watch: Watch, server: Server, clock: Clock
) -> None:
    for _ in range(8):
        node_watch.check()
        clock.sleep(15)
    assert len(server.published) == 2, "at once, and after 100 s"
    first, second = server.reports()
    assert first == second
    assert len(set(server.heartbeats())) == 2, "an unchanged object would not be stamped by the API server"


def test_a_report_with_allocations_is_confirmed_once_in_a_later_second(
    node_watch: Watch, server: Server, nvml: Nvml, clock: Clock
) -> None:
    """A pod that was created in the second of the first publication counts as newer than it."""
    nvml.allocations = ()
    for _ in range(5):
        node_watch.check()
        clock.sleep(15)
    assert len(server.published) == 2, "at once, and at the next check"


def test_a_change_does_not_wait_for_the_heartbeat(node_watch: Watch, server: Server, nvml: Nvml) -> None:
    node_watch.check()
    nvml.errors = ("nvmlInit: Driver Not Loaded",)
    node_watch.check()
    assert [report.errors for report in server.reports()] == [(), ("nvmlInit: Driver Not Loaded",)]


def test_heartbeats_repeat_the_last_report_while_mig_manager_works(
    node_watch: Watch, server: Server, nvml: Nvml, clock: Clock
) -> None:
    node_watch.check()
    server.label_sets = [PENDING]
    clock.sleep(300)
    node_watch.check()
    assert len(nvml.opened) == 1
    assert [report.state for report in server.reports()] == ["success", "success"]


def test_a_report_that_could_not_be_published_is_published_at_the_next_check(node_watch: Watch, server: Server) -> None:
    server.refusal = ApiError("PATCH", 403, "forbidden")
    with pytest.raises(ApiError):
        node_watch.check()
    server.refusal = None
    node_watch.check()
    assert len(server.published) == 1


def test_the_node_owns_its_report_so_both_are_deleted_together(node_watch: Watch, server: Server) -> None:
    node_watch.check()
    (config_map,) = server.published
    assert config_map["metadata"]["name"] == "mig-report-n1"
    assert config_map["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u1"}
    ]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (ApiError("GET /api/v1/nodes/n1", 0, "connection refused"), "GET /api/v1/nodes/n1: connection refused"),
        (ApiError("GET /api/v1/nodes/n1", 403, "forbidden"), "GET /api/v1/nodes/n1: answered 403: forbidden"),
        (KeyError("metadata"), "KeyError: 'metadata'; this is a bug in mig-fleet"),
        (MemoryError(), "MemoryError: ; this is a bug in mig-fleet"),
    ],
    ids=["no API server", "no rights", "an unexpected answer", "no memory"],
)
def test_a_failure_is_logged_and_the_probe_continues_at_growing_intervals(
    server: Server,
    nvml: Nvml,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: Exception,
    message: str,
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(server, "node", fail)
    clock.last = 5
    with pytest.raises(Ended):
        watch.watch("n1", 15, 300)
    assert capsys.readouterr().err.count(message) == 5
    assert clock.slept == [30, 60, 60, 60, 60]


def test_after_a_success_the_interval_is_the_usual_one_again(
    server: Server, nvml: Nvml, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Callable[[], bool]] = [lambda: False, refuse, refuse, lambda: False]
    monkeypatch.setattr(Watch, "check", lambda _: answers.pop(0)())
    clock.last = 4
    with pytest.raises(Ended):
        watch.watch("n1", 15, 300)
    assert clock.slept == [15, 30, 60, 15]


def refuse() -> bool:
    raise ApiError("GET /api/v1/nodes/n1", 500, "etcd is down")


def test_a_node_that_mig_manager_works_on_is_checked_every_two_seconds(
    server: Server, nvml: Nvml, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter(["success", "pending", "rebooting", "success"])
    monkeypatch.setattr(server, "node", lambda _: {"metadata": {"name": "n1", "uid": "1", "labels": a_state(states)}})
    monkeypatch.setattr(Watch, "_read", lambda *_: None)
    clock.last = 4
    with pytest.raises(Ended):
        watch.watch("n1", 15, 300)
    assert clock.slept == [15, 2, 2, 15]


def test_a_node_that_changed_while_it_was_read_is_checked_two_seconds_later(
    server: Server, nvml: Nvml, clock: Clock
) -> None:
    server.label_sets = [DONE, {**DONE, labels.STATE: "failed"}]
    clock.last = 2
    with pytest.raises(Ended):
        watch.watch("n1", 15, 300)
    assert clock.slept == [2, 15]
    assert [report.state for report in server.reports()] == ["failed"]


def test_an_unchanged_report_needs_no_second_look_at_the_labels(
    server: Server, node_watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, node = list[str](), server.node

    def record(name: str) -> dict[str, Any]:
        asked.append(name)
        return node(name)

    monkeypatch.setattr(server, "node", record)
    for _ in range(3):
        node_watch.check()
    assert len(asked) == 2 + 1 + 1, "before each reading, and once before the publication"


def a_state(states: Iterator[str]) -> dict[str, str]:
    return {**DONE, labels.STATE: next(states)}


def test_failures_never_shorten_an_interval_of_more_than_a_minute() -> None:
    assert [next_interval_s(300, failures) for failures in (0, 1, 5, 10**6)] == [300] * 4
