"""A changed wave must stay as declared for its soak time before scheduling is restored; an unchanged one need not."""

from typing import Any

import pytest

from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

SOAK_S = 100


def assigned(fleet: Fleet, **changes: Any) -> Props:
    """A wave that was partitioned ten seconds ago and is not verified yet."""
    wave = a_wave("n1", "n2", soak_seconds=SOAK_S, **changes)
    ASSIGNMENT.create(wave)
    fleet.clock.sleep(10)
    return wave


def test_scheduling_is_restored_on_a_changed_wave_only_after_its_soak_time(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    wave = assigned(fleet)
    isolated: list[list[str]] = []
    fleet.clock.after(SOAK_S - 1, lambda: isolated.append(fleet.isolated()))
    VERIFICATION.create(wave)
    assert isolated == [["n1", "n2"]]
    assert fleet.isolated() == []
    assert fleet.clock.slept == pytest.approx(10 + SOAK_S, abs=1)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "pool-wave-0: as declared; watched for 100 s",
        "pool-wave-0: as declared for 100 s",
        "pool-wave-0: scheduling restored: n1, n2",
    ]


def test_a_wave_that_is_not_isolated_has_no_soak_time(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    roll_out(wave)
    before = fleet.clock.now
    VERIFICATION.update("pool-wave-0", wave, {**wave, "soakSeconds": SOAK_S})
    assert fleet.clock.now == before


def test_a_slice_that_is_lost_during_the_soak_time_fails_the_wave_at_once_and_it_stays_isolated(fleet: Fleet) -> None:
    wave = assigned(fleet)
    fleet.clock.after(40, lambda: fleet.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}]))
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    assert str(failed.value).splitlines()[:2] == [
        "did not stay as declared during its soak time of 100 s:",
        "  slice missing: n1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",
    ]
    assert fleet.clock.slept < 60
    assert fleet.isolated() == ["n1", "n2"]
    assert fleet.restarted_pods() == [], "no remedy during the soak time"


def test_a_wave_that_fails_during_its_soak_time_is_rolled_back_if_the_stack_says_so(fleet: Fleet) -> None:
    roll_out(a_wave("n1", "n2", layout=WIDE))
    wave = assigned(fleet, on_failure="rollback")
    fleet.clock.after(40, lambda: fleet.partition("n1", [{}, {}]))
    with pytest.raises(VerificationFailed, match=f"rolled back to '{WIDE.config_name}'"):
        VERIFICATION.create(wave)
    assert fleet.configs() == {"n1": WIDE.config_name, "n2": WIDE.config_name}


def test_a_report_that_is_back_at_the_end_of_the_soak_time_is_not_a_failure(fleet: Fleet) -> None:
    wave = assigned(fleet)
    fleet.clock.after(20, lambda: fleet.remove_report("n1"))
    fleet.clock.after(60, lambda: fleet.report("n1"))
    VERIFICATION.create(wave)
    assert fleet.isolated() == []


def test_a_report_that_is_missing_at_the_end_of_the_soak_time_fails_the_wave(fleet: Fleet) -> None:
    wave = assigned(fleet)
    fleet.clock.after(20, lambda: fleet.remove_report("n1"))
    with pytest.raises(VerificationFailed, match="report missing: n1"):
        VERIFICATION.create(wave)


def test_an_api_server_that_is_unreachable_during_the_soak_time_is_waited_for(fleet: Fleet) -> None:
    wave = assigned(fleet, on_failure="rollback")
    unreachable = ClusterUnreachable("the cluster does not answer")
    fleet.clock.after(40, lambda: fleet.fail_requests("GET", "/nodes$", unreachable, times=20))
    VERIFICATION.create(wave)
    assert fleet.configs() == {"n1": DENSE.config_name, "n2": DENSE.config_name}
    assert fleet.isolated() == []
