"""Whenever an update is killed, the next one ends what it began, and nobody else's node was written to."""

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator import Fault as NodeFault
from mig_fleet.simulator.bad_api import BadApi
from tests.faults.dying import FINISHED, KILLED, Death, Deaths
from tests.faults.ground import FIRST, NEW, OLD, POOL, RENAMED, SECOND, Ground
from tests.faults.recorded import Inputs
from tests.faults.stack import Stack
from tests.faults.stage import LABEL, Stage

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

WRITES = 15
"""Of a change of three nodes in two waves: claim, close, label, mark as verified, open."""
OF_FIRST_WAVE = 10
BEFORE = [Death(write, answered=False) for write in range(1, WRITES + 1)]
AFTER = [Death(write, answered=True) for write in range(1, OF_FIRST_WAVE + 1, 4)]
REAL_CUTS = (6, 7)
"""Writes around which the killed update cuts GPUs anew; elsewhere it gives the same slices another name."""

RELEASE = {"on_delete": "restore"}
RELEASING, OF_LAST_WAVE = 9, 3
"""Close, label, let go; the last wave goes first."""

ROLLBACK = {"on_failure": "rollback", "recovery": False}
ROLLING_BACK = (7, 8, 9)
"""Behind the six writes that led into the failure: the labels back, and the first opening."""


@pytest.fixture(scope="session")
def deaths() -> Deaths:
    return Deaths()


@pytest.fixture
def stage(ground: Ground, stack: Stack, api: BadApi) -> Stage:
    """The pool as the old layout, verified."""
    api.well()
    ground.reset()
    return Stage(ground, api, stack)


@pytest.mark.parametrize("death", [*BEFORE, *AFTER], ids=str)
def test_a_rollout_that_is_killed_is_finished_by_the_next_update(stage: Stage, deaths: Deaths, death: Death) -> None:
    stage.stack.adopt(OLD, {}, {})
    target = NEW if death.write in REAL_CUTS else RENAMED
    program = stage.stack.program(target)
    assert deaths.up(stage.stack, program, death) == KILLED
    assert stage.api.nodes_written() <= set(FIRST if death.write <= OF_FIRST_WAVE else POOL)
    finished_by_the_next_update(stage, program)
    assert stage.converged(target) == []


@pytest.mark.parametrize("write", ROLLING_BACK)
def test_a_rollback_that_is_killed_is_overtaken_by_the_next_update(stage: Stage, deaths: Deaths, write: int) -> None:
    stage.stack.adopt(OLD, ROLLBACK, {})
    stage.inject(NodeFault.MANAGER_FAILS, *FIRST)
    for node in FIRST:
        stage.at(LABEL + OLD.name, node, lambda node=node: stage.heal(node))
    program = stage.stack.program(NEW, ROLLBACK)
    assert deaths.up(stage.stack, program, Death(write, answered=True)) == KILLED
    assert stage.api.nodes_written() <= set(FIRST)
    stage.heal(*FIRST)
    finished_by_the_next_update(stage, program)
    assert stage.converged(NEW) == []


@pytest.mark.parametrize("write", range(1, RELEASING + 1, 3))
def test_a_release_that_is_killed_is_finished_by_the_next_update(stage: Stage, deaths: Deaths, write: int) -> None:
    """`onDelete: restore` of a pool that leaves the stack: the last wave goes first."""
    stage.stack.adopt(OLD, RELEASE, {})
    for node in POOL:
        stage.patch(node, {"metadata": {"annotations": {labels.PREVIOUS_CONFIG: RENAMED.config_name}}})
    program = stage.stack.program(None)
    assert deaths.up(stage.stack, program, Death(write, answered=False)) == KILLED
    assert stage.api.nodes_written() <= set(SECOND if write <= OF_LAST_WAVE else POOL)
    finished_by_the_next_update(stage, program)
    assert stage.configs() == dict.fromkeys(POOL, RENAMED.config_name)
    assert stage.closed() == []
    assert [stage.marks(node) for node in POOL] == [{}, {}, {}], "nothing of ours is left on them"


def test_an_update_has_no_more_writes_than_those_at_which_it_was_killed(stage: Stage, deaths: Deaths) -> None:
    stage.stack.adopt(OLD, {}, {})
    assert deaths.up(stage.stack, stage.stack.program(RENAMED), Death(WRITES + 1, answered=False)) == FINISHED
    assert stage.converged(RENAMED) == []


def test_there_are_many_kill_points() -> None:
    assert len(BEFORE) + len(AFTER) + len(ROLLING_BACK) >= 20


def finished_by_the_next_update(stage: Stage, program: Inputs) -> None:
    stage.api.well()
    update = stage.stack.up(program)
    assert update.error == ""
    assert stage.api.nodes_written() <= set(POOL)
