"""A fault for which the short timeouts were too short is played once more, with longer ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.rollout import convergence
from tests.faults import player as players
from tests.faults.all_faults import BY_NAME
from tests.faults.fault import Fault
from tests.faults.fault_fleet import FaultFleet
from tests.faults.fault_run import FaultRun
from tests.faults.play import Result
from tests.faults.player import LONGER, MOST_AGAIN, Player
from tests.faults.short_timeouts import SHORT_S

FAULT = BY_NAME["a node becomes not Ready during the change"]
SHORT_ROLLOUT_S = FAULT.rollout["timeout_seconds"]
SHORT_CONVERGENCE_S = SHORT_S[convergence]["CONVERGENCE_S"]
RESULT = Result("", (), (), (), (), (), (), ())


class Fleets(FaultFleet):
    """Counts spoiled fleets; nothing is played on them."""

    def ready(self) -> FaultRun:
        return FaultRun.__new__(FaultRun)

    def spoil(self) -> None:
        self.started += 1


@pytest.fixture
def timeouts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """The timeouts of what was played: of the wave, and of the product."""
    found: list[tuple[float, float]] = []

    def play(fault: Fault, _run: FaultRun) -> Result:
        rollout: Mapping[str, Any] = fault.rollout
        found.append((rollout["timeout_seconds"], convergence.CONVERGENCE_S))
        return RESULT

    monkeypatch.setattr(players, "play", play)
    return found


@pytest.fixture
def player(tmp_path: Path) -> Player:
    notes: list[str] = []
    return Player(Fleets(tmp_path, tmp_path), {}, notes, lambda _: None)


def failing(times: int) -> players.Check:
    left = iter(range(times))

    def check(_fault: Fault, _result: Result) -> None:
        assert next(left, None) is None, "not as the table has it"

    return check


def test_a_fault_that_is_as_expected_is_played_once(player: Player, timeouts: list[tuple[float, float]]) -> None:
    player.play(FAULT, failing(times=0))
    assert timeouts == [(SHORT_ROLLOUT_S, SHORT_CONVERGENCE_S)]
    assert (player.again, player.fleet.started, player.results) == ([], 0, {FAULT.name: RESULT})


def test_another_one_is_played_again_on_a_new_fleet_with_longer_timeouts(
    player: Player, timeouts: list[tuple[float, float]]
) -> None:
    player.play(FAULT, failing(times=1))
    assert timeouts[1:] == [(SHORT_ROLLOUT_S * LONGER, SHORT_CONVERGENCE_S * LONGER)]
    assert (player.again, player.fleet.started, player.results) == ([FAULT.name], 1, {FAULT.name: RESULT})


def test_one_that_fails_the_second_time_too_fails(player: Player, timeouts: list[tuple[float, float]]) -> None:
    with pytest.raises(AssertionError, match="not as the table has it"):
        player.play(FAULT, failing(times=2))
    assert len(timeouts) == 2 and player.results == {}


def test_if_many_fail_no_further_one_is_played_again(player: Player, timeouts: list[tuple[float, float]]) -> None:
    player.again += ["another fault"] * MOST_AGAIN
    with pytest.raises(AssertionError, match="not as the table has it"):
        player.play(FAULT, failing(times=1))
    assert len(timeouts) == 1
