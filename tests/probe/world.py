"""A node, its driver and an API server in simulated time: what is scheduled happens while the probe waits."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.probe import node_events, watch
from mig_fleet.probe.kubernetes import ApiError
from mig_fleet.probe.node_events import Key, config_state_attempt
from mig_fleet.probe.watch import Watch
from tests.memory.clock import Clock

NODE = "n1"
INTERVAL_S = 15.0
READING_S = 0.1


class Over(BaseException):
    """The scheduled time is over; the loop of the probe does not catch it."""


class Time(Clock):
    """Replaces the module ``time`` until the scheduled time is over."""

    def __init__(self, ends_at: float) -> None:
        super().__init__()
        self._ends_at = self.now + ends_at

    def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        super().sleep(max(0.0, min(until, self._ends_at) - self.now))
        if until > self._ends_at:
            raise Over

    def step(self, until: float) -> None:
        """Go on to the next event, or to ``until``."""
        self.sleep(min(until, self.next_due) - self.now)


class Stream:
    """A watch; ``is_silent``: its connection was dropped without a word."""

    def __init__(self, time: Time) -> None:
        self._time, self._events = time, list[dict[str, Any]]()
        self.is_silent, self.failure = False, ""

    def send(self, kind: str, found: dict[str, Any]) -> None:
        self.queue({"type": kind, "object": found})

    def queue(self, event: dict[str, Any]) -> None:
        if not self.is_silent:
            self._events.append(event)

    def receive(self, within_s: float) -> list[dict[str, Any]]:
        until = self._time.now + max(0.0, within_s)
        while not self._events and not self.failure and self._time.now < until:
            self._time.step(until)
        if self._events:
            found, self._events = self._events, []
            return found
        if self.failure:
            raise OSError(self.failure)
        return []

    def close(self) -> None:
        self.failure = "closed"


@dataclass
class Publication:
    """When a report was published, and what the probe had read."""

    at: float
    report: Report


@dataclass
class World:
    """One node. Its driver's version stands for its slices: each work of MIG Manager makes another one."""

    time: Time
    refused: int = 0
    """Status of the answer to a watch; 0: it works."""
    lag_s: float = 0.0
    """A watch is as much behind."""
    is_down: bool = False
    """Whether the API server answers nothing."""
    slices: int = 0
    requests: list[str] = field(default_factory=list)
    published: list[Publication] = field(default_factory=list)
    readings: list[tuple[float, float]] = field(default_factory=list)
    """Begin and end of each."""
    history: list[tuple[float, Key]] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    _version: int = 1
    _metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._metadata = {"name": NODE, "uid": "u1", "resourceVersion": "1", "labels": {}, "annotations": {}}
        self.become(config="a", state="success", attempt="1")

    @property
    def key(self) -> Key:
        return config_state_attempt({"metadata": self._metadata})

    def become(self, **changes: str | None) -> None:
        """Change config, state, attempt, or something else of the node."""
        names = {"config": labels.CONFIG, "state": labels.STATE}
        found = {**self._metadata["labels"], **{names[k]: v for k, v in changes.items() if k in names}}
        notes = {**self._metadata["annotations"], labels.ATTEMPT: changes.get("attempt", self.key[2])}
        self._version += 1
        version = str(self._version)
        self._metadata = {**self._metadata, "resourceVersion": version, "labels": found, "annotations": notes}
        self.history.append((self.time.now, self.key))
        self._emit("MODIFIED")

    def apply(self, config: str, work_s: float = 5.0, state: str = "success") -> None:
        """An update labels the node, and MIG Manager works on it."""
        self.become(config=config, state=None, attempt=str(int(self.key[2] or 0) + 1))
        self.time.after(1, lambda: self.become(state="pending"))
        self.time.after(1 + work_s, lambda: self._finish(state))

    def _finish(self, state: str) -> None:
        self.slices += 1
        self.become(state=state)

    def lose_watches(self, reason: str = "reset") -> None:
        for stream in self.streams:
            stream.failure = reason

    def silence_watches(self) -> None:
        for stream in self.streams:
            stream.is_silent = True

    def _emit(self, kind: str) -> None:
        found = {"metadata": self._metadata}
        for stream in self.streams:
            self.time.after(self.lag_s, lambda it=stream: it.send(kind, found))  # type: ignore[misc]

    # The API server and the driver, as the probe uses them.

    def node(self, name: str) -> dict[str, Any]:
        self._request(f"GET {name}")
        return {"metadata": self._metadata}

    def watch_node(self, name: str, lifetime_s: int) -> Stream:
        self._request(f"WATCH {name}")
        if self.refused:
            raise ApiError(f"WATCH /api/v1/nodes/{name}", self.refused, "refused")
        stream = Stream(self.time)
        self.streams.append(stream)
        stream.send("ADDED", {"metadata": self._metadata})
        self.time.after(lifetime_s, lambda: setattr(stream, "failure", "the server ended it"))

        def bookmark() -> None:
            stream.send("BOOKMARK", {"metadata": {"resourceVersion": str(self._version)}})
            self.time.after(60, bookmark)

        self.time.after(60, bookmark)
        return stream

    def publish(self, config_map: dict[str, Any]) -> None:
        self._request("PATCH")
        self.published.append(Publication(self.time.now, Report.from_json(config_map["data"][labels.REPORT_KEY])))

    def read(self, node: str) -> Report:
        began, slices = self.time.now, self.slices
        self.time.sleep(READING_S)
        self.readings.append((began, self.time.now))
        return Report(node, str(slices), config=None, state=None, gpus=())

    def _request(self, text: str) -> None:
        self.requests.append(f"{self.time.now - 1000:g} {text}")
        if self.is_down:
            raise ApiError(text, 0, "connection refused")

    # What tests read.

    def keys_in(self, began: float, ended: float) -> set[Key]:
        """Every config, state and attempt of an interval."""
        before = [key for at, key in self.history if at <= began][-1:]
        return {*before, *(key for at, key in self.history if began < at <= ended)}

    def keys_at(self, moment: float) -> set[Key]:
        """Config, state and attempt at a moment; several if they change just then."""
        before = [key for at, key in self.history if at < moment][-1:]
        return {*before, *(key for at, key in self.history if at == moment)}

    def reported(self) -> list[tuple[float, Key, str]]:
        """Seconds, key and slices of each report that differs from the one before."""
        found: list[tuple[float, Key, str]] = []
        for it in self.published:
            key = it.report.config, it.report.state, it.report.attempt
            if not found or found[-1][1:] != (key, it.report.driver_version):
                found.append((it.at - 1000, key, it.report.driver_version))
        return found


def a_world(
    monkeypatch: pytest.MonkeyPatch, seconds: float, plan: Callable[[World], object], seed: int = 1, **facts: Any
) -> World:
    """What a probe did in so many seconds; ``plan`` schedules what happens."""
    time = Time(seconds)
    world = World(time, **facts)
    for module in (watch, node_events):
        monkeypatch.setattr(module, "time", time)
    monkeypatch.setattr(watch, "Api", lambda: world)
    monkeypatch.setattr(node_events, "random", random.Random(seed))
    plan(world)
    with pytest.raises(Over):
        Watch(NODE, INTERVAL_S, 100.0, world).run()
    return world
