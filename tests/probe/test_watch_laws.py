"""Whatever the order of changes, readings and failures of the watch: what a published report belongs to, and that none
is missing at the end.
"""

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mig_fleet.probe.node_events import SILENCE_S
from tests.probe.world import INTERVAL_S, World, a_world

END_S = 100.0
"""After it nothing happens any more."""
SETTLED_S = SILENCE_S + 4 * INTERVAL_S
OPEN_S = 1.0
"""The first reading is over, and the watch is open."""
MOMENTS = st.floats(0, END_S)


def changes_from(first_s: float) -> st.SearchStrategy[Any]:
    moments = st.floats(first_s, END_S)
    return st.one_of(
        st.tuples(st.just("apply"), moments, st.sampled_from("ab"), st.floats(0.01, 20)),
        st.tuples(st.just("relabel"), moments, st.sampled_from("ab"), st.just(0.0)),
        st.tuples(st.just("touch"), moments, st.just(""), st.just(0.0)),
    )


CHANGES = changes_from(0)
FAILURES = st.one_of(
    st.tuples(st.just("lose"), MOMENTS, st.just(0.0)),
    st.tuples(st.just("silence"), MOMENTS, st.just(0.0)),
    st.tuples(st.just("refuse"), MOMENTS, st.floats(1, 60)),
    st.tuples(st.just("down"), MOMENTS, st.floats(1, 60)),
)


def schedule(world: World, changes: list[Any], failures: list[Any]) -> None:
    def let(moment: float, name: str, value: object) -> None:
        world.time.after(moment, lambda: setattr(world, name, value))

    def act(what: str, config: str, work_s: float) -> None:
        if what == "apply":
            world.apply(config, work_s)
        else:
            world.become(**({"config": config} if what == "relabel" else {}))

    for what, moment, config, work_s in changes:
        world.time.after(moment, partial(act, what, config, work_s))
    for what, moment, seconds in failures:
        if what in ("lose", "silence"):
            world.time.after(moment, world.lose_watches if what == "lose" else world.silence_watches)
        else:
            name, value, usual = ("refused", 403, 0) if what == "refuse" else ("is_down", True, False)
            let(moment, name, value)
            let(min(moment + seconds, END_S), name, usual)
            if what == "down":
                world.time.after(moment, world.lose_watches)


def play(changes: list[Any], failures: list[Any], lag_s: float, seconds: float = END_S + SETTLED_S) -> World:
    with pytest.MonkeyPatch.context() as patch:
        return a_world(patch, seconds, lambda it: schedule(it, changes, failures), lag_s=lag_s)


@settings(deadline=None, derandomize=True)
@given(st.lists(CHANGES, max_size=6), st.lists(FAILURES, max_size=3), st.floats(0, 0.5))
def test_a_published_report_is_of_one_config_state_and_attempt_and_the_last_one_is_right(
    changes: list[Any], failures: list[Any], lag_s: float
) -> None:
    world = play(changes, failures, lag_s)
    for it in world.published:
        key = it.report.config, it.report.state, it.report.attempt
        readings = [(began, ended) for began, ended in world.readings if ended <= it.at]
        assert any(key in world.keys_at(began) and key in world.keys_at(ended) for began, ended in readings)
    last = world.published[-1].report
    if world.key[1] not in ("pending", None):
        assert (last.config, last.state, last.attempt) == world.key
        assert last.driver_version == str(world.slices)


@settings(deadline=None, derandomize=True)
@given(st.lists(changes_from(OPEN_S), max_size=8), st.floats(0, 0.5))
def test_where_the_watch_works_nothing_changed_while_a_published_reading_lasted(
    changes: list[Any], lag_s: float
) -> None:
    """Neither once nor back again."""
    world = play(changes, [], lag_s)
    reports = [None, *(it.report for it in world.published)]
    new = [it for it, before in zip(world.published, reports, strict=False) if it.report != before]
    for it in new:
        began, ended = [reading for reading in world.readings if reading[1] <= it.at][-1]
        assert len(world.keys_in(began, ended)) == 1


@settings(deadline=None, derandomize=True)
@given(st.lists(CHANGES, max_size=4), st.floats(0, 0.3))
def test_where_the_watch_works_a_success_is_reported_within_a_second(changes: list[Any], lag_s: float) -> None:
    world = play(changes, [], lag_s)
    for (at, key), (until, _) in zip(world.history, [*world.history[1:], (1e9, None)], strict=True):
        if key[1] == "success" and until - at > 2 and at > 1001:
            found = [it.at for it in world.published if (it.report.config, it.report.state, it.report.attempt) == key]
            assert any(published <= at + 1 for published in found), (at, key)
