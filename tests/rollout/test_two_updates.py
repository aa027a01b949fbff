"""Two updates of one stack at the same time, from two machines: the stack's state was copied to a second backend, so
both have the id of the owner. No node is harmed, and each update ends with a sentence.
"""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from mig_fleet.cluster.connection import Json
from mig_fleet.failures import CleanError
from mig_fleet.model import labels
from mig_fleet.model.layouts import Layout
from tests.memory.fleet import DENSE, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, a_wave, roll_out

OURS = "aaaaaaaaaaaa acme/mig-fleet/prod"
SECOND_MACHINE = {"context": "another-name"}
"""Another process shares no snapshot with the first one; here another name of the context separates them."""
MOMENTS = range(45)
"""The request of the first update before which the second one runs as a whole; the first one has fewer requests."""


@pytest.fixture
def harm(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What must never happen to a node with a user's pod: it is relabelled, or MIG Manager works on it, while new pods
    may start there.
    """
    found: list[str] = []
    react = fleet.node_written

    def watched(name: str, before: Json) -> None:
        metadata = fleet.nodes[name]["metadata"]
        config, state = metadata["labels"][labels.CONFIG], metadata["labels"].get(labels.STATE)
        is_isolated = labels.TAINT in fleet.taints(name)
        if config != before["metadata"]["labels"][labels.CONFIG] and not is_isolated:
            found.append(f"{name} was relabelled to {config} and is not isolated")
        if state != "success" and not is_isolated:
            found.append(f"scheduling was restored on {name} while MIG Manager works on {config}")
        react(name, before)

    monkeypatch.setattr(fleet, "node_written", watched)
    return found


def error_of(act: Callable[[], object]) -> str:
    """The error of an update, or an empty text."""
    try:
        act()
    except CleanError as exc:
        return str(exc)
    return ""


def outcome(layout: Layout, **changes: Any) -> str:
    return error_of(lambda: roll_out(a_wave("n1", "n2", layout=layout, owner=OURS, **changes)))


def run_before_request(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, moment: int, act: Callable[[], object]
) -> Callable[[], None]:
    """Run ``act`` before the request with this number; the function that is returned runs it if that has not come."""
    requests = itertools.count()
    call = fleet.call

    def run() -> None:
        if fleet.call is not call:
            monkeypatch.setattr(fleet, "call", call)
            act()

    def interleaved(*request: Any) -> Json:
        if next(requests) == moment:
            run()
        return call(*request)

    monkeypatch.setattr(fleet, "call", interleaved)
    return run


def both(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, moment: int, layout: Layout, **changes: Any) -> list[str]:
    """The errors of the first update, and of the second one, which declares ``layout``."""
    second: list[str] = []
    run = run_before_request(
        fleet, monkeypatch, moment, lambda: second.append(outcome(layout, cluster=SECOND_MACHINE, **changes))
    )
    first = outcome(DENSE, **changes)
    run()
    fleet.clock.sleep(60)
    return [first, *second]


@pytest.mark.parametrize("on_failure", ["halt", "rollback"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_two_updates_with_different_layouts_harm_no_node_and_the_next_one_finishes(
    fleet: Fleet, harm: list[str], monkeypatch: pytest.MonkeyPatch, moment: int, on_failure: str
) -> None:
    errors = both(fleet, monkeypatch, moment, WIDE, on_failure=on_failure)
    for name in fleet.isolated():
        assert any(name in error and "kubectl taint nodes" in error for error in errors), "it is named with the command"
    assert outcome(WIDE, on_failure=on_failure) == ""
    assert (set(fleet.configs().values()), fleet.isolated(), harm) == ({WIDE.config_name}, [], [])


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_update_that_ends_restores_no_scheduling_while_the_other_one_is_at_work(
    fleet: Fleet, harm: list[str], monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    wave = a_wave("n1", "n2", layout=WIDE, owner=OURS, cluster=SECOND_MACHINE)
    run = run_before_request(fleet, monkeypatch, moment, lambda: error_of(lambda: ASSIGNMENT.create(wave)))
    error = outcome(DENSE)
    run()
    assert "Traceback" not in error
    second = error_of(lambda: VERIFICATION.create(wave))
    assert harm == []
    for name in fleet.isolated():
        assert name in second and "kubectl taint nodes" in second, "it is named with the command"


@pytest.mark.parametrize("isolation", ["taint", "cordon"])
def test_a_node_whose_scheduling_was_restored_right_before_its_label_is_isolated_by_the_same_write(
    fleet: Fleet, isolation: str
) -> None:
    exposed = {"taints": None, "unschedulable": None}
    fleet.before_request("GET", "/nodes/n1$", lambda: fleet.patch("n1", {"spec": exposed}), skip=1)
    ASSIGNMENT.create(a_wave("n1", "n2", owner=OURS, isolation=isolation))
    assert fleet.configs()["n1"] == DENSE.config_name
    assert fleet.is_cordoned("n1") if isolation == "cordon" else fleet.isolated() == ["n1", "n2"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_two_updates_with_the_same_layout_reach_it(
    fleet: Fleet, harm: list[str], monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    _, second = both(fleet, monkeypatch, moment, DENSE)
    assert second == ""
    assert (set(fleet.configs().values()), fleet.isolated(), harm) == ({DENSE.config_name}, [], [])


def test_the_update_that_lost_says_so_and_leaves_the_node_to_the_other_one(
    fleet: Fleet, harm: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = {both(fleet, monkeypatch, moment, WIDE)[0] for moment in (18, 36)}
    assert any(
        "n1: another update relabelled it to 'wide-ea45f71e' meanwhile; let that update end" in error
        for error in errors
    )


def test_a_label_whose_answer_was_lost_is_not_taken_for_that_of_another_update(fleet: Fleet, harm: list[str]) -> None:
    """The connection breaks after the API server wrote the label; the repeated request is refused with a conflict."""
    call, lost = fleet.call, [True]

    def losing(method: str, path: str, query: Any, body: Any) -> Json:
        answer = call(method, path, query, body)
        if lost and labels.CONFIG in ((body or {}).get("metadata", {}).get("labels") or {}):
            lost.clear()
            return call(method, path, query, body)
        return answer

    fleet.call = losing  # type: ignore[method-assign]
    assert outcome(DENSE) == ""
    assert (set(fleet.configs().values()), harm) == ({DENSE.config_name}, [])
