"""A probe that watches its node: when it reads, what it requests, and what it does once the watch does not work."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from mig_fleet.probe.node_events import BUSY_SILENCE_S, MAX_RETRY_S, RETRY_S, SILENCE_S
from tests.probe.world import INTERVAL_S, READING_S, World, a_world

Plan = Callable[[World], object]


def requests(world: World, after: float = 0.0, before: float = 1e9) -> list[str]:
    """Without their times."""
    found = [line.split(" ", 1) for line in world.requests]
    return [text for at, text in found if after <= float(at) < before]


# A watch that works


def test_a_success_is_reported_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch, 60, lambda it: it.time.after(20.3, lambda: it.apply("b", work_s=7)))
    at, key, slices = world.reported()[-1]
    assert (key, slices) == (("b", "success", "2"), "1")
    assert at == pytest.approx(28.3 + READING_S)


def test_an_idle_probe_requests_nothing_but_its_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch, 1000, lambda _: None)
    assert requests(world, after=1) == ["PATCH"] * 9
    assert len(world.readings) == pytest.approx(1000 / INTERVAL_S, abs=2), "NVML has no event for a change of MIG"


def test_a_change_of_a_label_that_does_not_matter_causes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(world: World) -> None:
        for second in range(2, 90, 3):
            world.time.after(second, world.become)

    assert requests(a_world(monkeypatch, 90, plan), after=1) == []


def test_a_changed_report_costs_one_look_at_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch, 40, lambda it: it.time.after(20, lambda: it.apply("b")))
    assert requests(world, after=20) == ["GET n1", "PATCH"]


def test_nvml_stays_closed_from_the_label_until_mig_manager_has_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch, 60, lambda it: it.time.after(16, lambda: it.apply("b", work_s=12)))
    assert [at for at, _ in world.readings if 1016 <= at < 1029] == []


def test_a_change_during_a_reading_discards_it_and_the_next_one_follows_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def plan(world: World) -> None:
        world.time.after(20, lambda: world.become(state="failed"))
        world.time.after(20 + READING_S / 2, lambda: world.become(state="success", attempt="2"))

    reported = a_world(monkeypatch, 30, plan).reported()
    assert [key for _, key, _ in reported] == [("a", "success", "1"), ("a", "success", "2")]
    assert reported[-1][0] == pytest.approx(20 + 2 * READING_S)


def test_a_reading_during_which_the_labels_changed_and_changed_back_is_discarded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A user gives the node another config and the first one again: both requests of the labels show the same."""

    def plan(world: World) -> None:
        world.time.after(20, lambda: world.become(attempt="2"))
        world.time.after(20 + READING_S / 3, lambda: world.become(config="b"))
        world.time.after(20 + READING_S / 2, lambda: world.become(config="a"))

    world = a_world(monkeypatch, 60, plan, lag_s=READING_S)
    began = [at for at, _ in world.readings if at > 1020]
    assert world.published[-1].report.attempt == "2"
    assert world.published[-1].at > began[0] + 2 * READING_S, "the first reading does not count"


def test_a_node_that_another_one_replaced_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(world: World) -> None:
        world.time.after(20, lambda: world._emit("DELETED"))
        world.time.after(21, lambda: world.become(attempt=None))

    assert a_world(monkeypatch, 30, plan).reported()[-1][1] == ("a", "success", None)


# A watch that does not work


def end(world: World) -> None:
    world.lose_watches("the server ended it")


def silence(world: World) -> None:
    world.silence_watches()


def refuse(world: World) -> None:
    world.refused = 403
    world.lose_watches("answered 410: too old resource version")


@pytest.mark.parametrize(
    ("fails", "within_s"),
    [(end, INTERVAL_S), (refuse, INTERVAL_S), (silence, SILENCE_S + INTERVAL_S)],
    ids=["it ends", "it may not be opened again", "it is dropped without a word"],
)
def test_a_change_is_reported_though_the_watch_failed_before_it(
    monkeypatch: pytest.MonkeyPatch, fails: Plan, within_s: float
) -> None:
    def plan(world: World) -> None:
        world.time.after(20, lambda: fails(world))
        world.time.after(21, lambda: world.apply("b"))

    world = a_world(monkeypatch, 300, plan)
    at, key, _ = world.reported()[-1]
    assert key == ("b", "success", "2")
    assert at <= 27 + within_s + 3 * READING_S


def test_while_mig_manager_works_a_watch_that_is_silent_costs_one_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(world: World) -> None:
        world.time.after(20, lambda: world.apply("b"))
        world.time.after(22, world.silence_watches)

    at, _, _ = a_world(monkeypatch, 60, plan).reported()[-1]
    assert at <= 26 + BUSY_SILENCE_S + INTERVAL_S


def test_a_reading_during_which_the_watch_ended_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The labels may have changed and changed back meanwhile."""

    def plan(world: World) -> None:
        world.time.after(20, lambda: world.become(attempt="2"))
        world.time.after(20 + READING_S / 2, world.lose_watches)

    world = a_world(monkeypatch, 60, plan)
    assert [begin for begin, _ in world.readings if 1020 <= begin < 1023] == pytest.approx([1020, 1022.1])
    assert world.reported()[-1][0] == pytest.approx(22.2)


def test_a_watch_that_lost_a_change_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(world: World) -> None:
        world.time.after(20, world.silence_watches)
        world.time.after(21, lambda: world.become(state="failed"))

    world = a_world(monkeypatch, 200, plan)
    assert requests(world).count("WATCH n1") == 2


@pytest.mark.parametrize("status", [403, 404, 410, 429, 500])
def test_a_refused_watch_is_logged_once_and_tried_again_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    world = a_world(monkeypatch, 3600, lambda _: None, refused=status)
    log = capsys.readouterr().err
    assert log.count("cannot be watched") == 1
    assert f"so it is read every 15 s: WATCH /api/v1/nodes/n1: answered {status}: refused" in log
    opened = [float(line.split()[0]) for line in world.requests if "WATCH" in line]
    pauses = [later - earlier for earlier, later in pairwise(opened)]
    assert pauses[0] <= RETRY_S + INTERVAL_S and max(pauses) <= MAX_RETRY_S + INTERVAL_S
    assert len(opened) < 60
    assert requests(world).count("GET n1") == pytest.approx(3600 / INTERVAL_S, rel=0.05), "as without a watch"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}},
        {"type": "ERROR", "object": "gone"},
        {"type": "MODIFIED", "object": {"metadata": {"name": "n1", "labels": ["a"]}}},
        {"type": "MODIFIED"},
        {"kind": "Status"},
    ],
    ids=["too old", "no status", "no labels", "no object", "no event"],
)
def test_an_event_that_is_none_ends_the_watch_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    def plan(world: World) -> None:
        world.time.after(20, lambda: world.streams[0].queue(event))
        world.time.after(40, lambda: world.apply("b"))

    world = a_world(monkeypatch, 60, plan)
    assert world.reported()[-1][1] == ("b", "success", "2")
    assert requests(world).count("WATCH n1") == 2
    assert "bug" not in capsys.readouterr().err


def test_rights_that_arrive_later_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch, 1200, lambda it: it.time.after(60, lambda: setattr(it, "refused", 0)), refused=403)
    assert "GET n1" not in requests(world, after=700)


def test_probes_do_not_come_back_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server restarts: all watches end in one moment."""

    def plan(world: World) -> None:
        world.time.after(20, world.lose_watches)

    def opened(seed: int) -> float:
        world = a_world(monkeypatch, 60, plan, seed)
        return [float(line.split()[0]) for line in world.requests if "WATCH" in line][1]

    moments = sorted(map(opened, range(200)))
    assert moments[0] >= 21 and moments[-1] <= 20 + RETRY_S
    assert max(sum(1 for it in moments if second <= it < second + 1) for second in range(20, 35)) < 40


def test_an_api_server_that_is_away_loses_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(world: World) -> None:
        world.time.after(20, lambda: world.apply("b"))
        world.time.after(21, lambda: setattr(world, "is_down", True))
        world.time.after(21, world.lose_watches)
        world.time.after(120, lambda: setattr(world, "is_down", False))

    at, key, slices = a_world(monkeypatch, 400, plan).reported()[-1]
    assert (key, slices) == (("b", "success", "2"), "1")
    assert at <= 120 + 60 + 2
