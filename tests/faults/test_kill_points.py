"""Whenever an update is killed, the next one completes it, and no node outside the pool is written to."""

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault_run import FaultRun
from tests.faults.killed_process import FINISHED, KILLED, KillPoint, UpdateProcesses
from tests.faults.recording import Inputs
from tests.faults.scenario import FEWER, FIRST_WAVE, NEW, OLD, POOL, SECOND_WAVE
from tests.faults.table.waves import clear_faults_before_label

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

WRITES = 15
"""Of a change of three nodes in two waves: own, isolate, label, record as verified, restore scheduling."""
WRITES_OF_FIRST_WAVE = 10
BEFORE = [KillPoint(write, answered=False) for write in range(1, WRITES + 1)]
AFTER = [KillPoint(write, answered=True) for write in range(1, WRITES_OF_FIRST_WAVE + 1, 4)]
RECONFIGURED_AT = (6, 7)
"""Writes at which the killed update gives each GPU other profiles; at the others it removes one slice."""

RELEASE = {"on_delete": "restore"}
WRITES_OF_RELEASE, WRITES_OF_LAST_WAVE = 9, 3
"""Isolate, label, release; the last wave is deleted first."""

ROLLBACK = {"on_failure": "rollback", "recovery": False}
WRITES_OF_ROLLBACK = (8, 9)
"""After the six writes of the change that fails: both labels, and the first node with restored scheduling. A node that
was not labelled yet is still `failed`, and without recovery an update leaves it so."""


@pytest.fixture(scope="session")
def processes() -> UpdateProcesses:
    return UpdateProcesses()


@pytest.mark.parametrize("kill_point", [*BEFORE, *AFTER], ids=str)
def test_the_next_update_completes_a_rollout_that_was_killed(
    run: FaultRun, processes: UpdateProcesses, kill_point: KillPoint
) -> None:
    run.stack.adopt(OLD, {}, {})
    target = NEW if kill_point.write in RECONFIGURED_AT else FEWER
    program = run.stack.program(target)
    assert processes.up(run.stack, program, kill_point) == KILLED
    assert run.api.nodes_written() <= set(FIRST_WAVE if kill_point.write <= WRITES_OF_FIRST_WAVE else POOL)
    update_again(run, program)
    assert run.differences(target) == []


@pytest.mark.parametrize("write", WRITES_OF_ROLLBACK)
def test_the_next_update_completes_the_change_after_a_rollback_that_was_killed(
    run: FaultRun, processes: UpdateProcesses, write: int
) -> None:
    run.stack.adopt(OLD, ROLLBACK, {})
    run.inject(NodeFault.MANAGER_FAILS, *FIRST_WAVE)
    for node in FIRST_WAVE:
        clear_faults_before_label(run, node, OLD.name)
    program = run.stack.program(NEW, ROLLBACK)
    assert processes.up(run.stack, program, KillPoint(write, answered=True)) == KILLED
    assert run.api.nodes_written() <= set(FIRST_WAVE)
    run.clear_faults(*FIRST_WAVE)
    update_again(run, program)
    assert run.differences(NEW) == []


@pytest.mark.parametrize("write", range(1, WRITES_OF_RELEASE + 1, 3))
def test_the_next_update_completes_a_release_that_was_killed(
    run: FaultRun, processes: UpdateProcesses, write: int
) -> None:
    """`onDelete: restore` of a pool that is removed from the stack; its last wave is deleted first."""
    run.stack.adopt(OLD, RELEASE, {})
    for node in POOL:
        run.patch(node, {"metadata": {"annotations": {labels.PREVIOUS_CONFIG: FEWER.config_name}}})
    program = run.stack.program(None)
    assert processes.up(run.stack, program, KillPoint(write, answered=False)) == KILLED
    assert run.api.nodes_written() <= set(SECOND_WAVE if write <= WRITES_OF_LAST_WAVE else POOL)
    update_again(run, program)
    assert run.configs() == dict.fromkeys(POOL, FEWER.config_name)
    assert run.isolated() == []
    assert [run.our_annotations(node) for node in POOL] == [{}, {}, {}], "our annotations must be removed"


def test_an_update_has_no_writes_after_the_last_kill_point(run: FaultRun, processes: UpdateProcesses) -> None:
    run.stack.adopt(OLD, {}, {})
    after_all = KillPoint(WRITES + 1, answered=False)
    assert processes.up(run.stack, run.stack.program(FEWER), after_all) == FINISHED
    assert run.differences(FEWER) == []


def test_there_are_many_kill_points() -> None:
    assert len(BEFORE) + len(AFTER) + len(WRITES_OF_ROLLBACK) >= 20


def update_again(run: FaultRun, program: Inputs) -> None:
    run.api.reset()
    update = run.stack.up(program)
    assert update.error == ""
    assert run.api.nodes_written() <= set(POOL)
