"""The last line of progress is true: a wait that ended well prints what is so now, if it printed what it waits for."""

from collections.abc import Callable

import pytest

from mig_fleet.model import labels
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.wave import Wave
from tests.memory.fleet import Fleet
from tests.memory.wave import ASSIGNMENT, a_wave, roll_out

Lines = Callable[[], list[str]]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Lines:
    """The lines since the last call, without the wave's name."""
    return lambda: [line.removeprefix("pool-wave-0: ") for line in capsys.readouterr().out.splitlines()]


def test_after_the_users_pods_have_left(fleet: Fleet, printed: Lines) -> None:
    fleet.pod("web", "n1")
    fleet.clock.after(5, lambda: fleet.pods.pop(("team", "web")))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="wait", on_stranded_pods="warn"))
    lines = printed()
    assert lines.index("no pod is left on the affected GPUs") > max(
        n for n, line in enumerate(lines) if line.startswith("waits for 1 pod")
    )


def test_after_the_config_has_reached_mig_manager(fleet: Fleet, printed: Lines) -> None:
    fleet.synced_after_s["n1"] = 10
    ASSIGNMENT.create(a_wave("n1"))
    assert printed()[-2:] == [
        "waits for MIG Manager on 1 node(s) to see the config: n1",
        "MIG Manager sees the config on 1 node(s)",
    ]


def test_after_mig_manager_has_finished_another_config(fleet: Fleet, printed: Lines) -> None:
    fleet.label("n1", labels.STATE, "pending")
    fleet.clock.after(5, lambda: fleet.label("n1", labels.STATE, "success"))
    ASSIGNMENT.create(a_wave("n1"))
    assert printed()[:2] == ["waits for the probe on 1 node(s) to report: n1", "the probes have reported"]


def test_after_a_verification(fleet: Fleet, printed: Lines) -> None:
    roll_out(a_wave("n1"))
    assert printed()[-2:] == ["1 of 1 nodes verified", "scheduling restored: n1"]


def test_after_a_release(fleet: Fleet, printed: Lines) -> None:
    wave = a_wave("n1", on_delete="disable")
    roll_out(wave)
    printed()
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert printed()[-1] == "MIG Manager has applied the configs on 1 node(s)"


def test_after_a_change_that_was_given_up_before_the_label(fleet: Fleet, printed: Lines) -> None:
    fleet.write_layout_file()
    with pytest.raises(AssignmentFailed):
        ASSIGNMENT.create(a_wave("n1"))
    assert printed()[-1] == "scheduling restored: n1"


def test_a_wait_that_printed_nothing_prints_nothing_at_its_end(fleet: Fleet, printed: Lines) -> None:
    context = RolloutContext(Wave.from_properties(a_wave("n1")))
    context.finish_progress("all is well")
    context.event("evicted team/web")
    context.finish_progress("all is well")
    assert printed() == ["evicted team/web"]
    assert fleet.writes() == []
