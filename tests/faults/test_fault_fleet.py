"""What a fault or a failed test leaves behind is not the beginning of the next one."""

from pathlib import Path
from unittest.mock import Mock, create_autospec

import pytest

from mig_fleet.simulator.faulty_api import FaultyApi
from tests.faults.fault_fleet import MOST_FLEETS, FaultFleet
from tests.faults.fault_run import FaultRun
from tests.faults.scenario import Scenario
from tests.faults.stack import Stack


class FleetsInMemory(FaultFleet):
    """Counts fleets instead of starting them."""

    def _installed(self) -> FaultRun:
        return FaultRun(create_autospec(Scenario), create_autospec(FaultyApi), create_autospec(Stack))


@pytest.fixture
def fleet(tmp_path: Path) -> FaultFleet:
    return FleetsInMemory(tmp_path, tmp_path)


def reset_of(run: FaultRun) -> Mock:
    """The mock behind the reset of a run's scenario."""
    reset: Mock = run.scenario.reset  # type: ignore[assignment]
    return reset


def test_each_fault_begins_with_a_reset_of_the_same_fleet(fleet: FaultFleet) -> None:
    first, second = fleet.ready(), fleet.ready()
    assert (fleet.started, first.scenario) == (1, second.scenario)
    assert reset_of(first).call_count == 2


def test_after_a_failed_test_the_next_one_has_a_new_fleet(fleet: FaultFleet) -> None:
    first = fleet.ready()
    fleet.spoil()
    assert fleet.ready().scenario is not first.scenario


def test_a_fleet_that_does_not_return_to_the_first_state_is_replaced(fleet: FaultFleet) -> None:
    first = fleet.ready()
    reset_of(first).side_effect = AssertionError("timeout: all nodes have notebooks")
    assert fleet.ready().scenario is not first.scenario


def test_of_many_failures_each_one_is_not_paid_with_a_new_fleet(fleet: FaultFleet) -> None:
    for _ in range(2 * MOST_FLEETS):
        fleet.ready()
        fleet.spoil()
    assert fleet.started == MOST_FLEETS
    reset_of(fleet.ready()).side_effect = AssertionError("timeout")
    with pytest.raises(AssertionError, match="timeout"):
        fleet.ready()
