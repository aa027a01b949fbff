"""A changed wave must stay as declared for a while before its nodes are opened; one that was right is not watched."""

import pytest

from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

SOAK_S = 100


def changed(fleet: Fleet, **changes: object) -> Props:
    """A wave that was cut ten seconds ago."""
    wave = a_wave("n1", "n2", soak_s=SOAK_S, **changes)
    ASSIGNMENT.create(wave)
    fleet.clock.sleep(10)
    return wave


def test_a_changed_wave_is_opened_only_after_it_was_watched(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    wave = changed(fleet)
    closed: list[list[str]] = []
    fleet.clock.after(SOAK_S - 1, lambda: closed.append(fleet.closed()))
    VERIFICATION.create(wave)
    assert closed == [["n1", "n2"]]
    assert fleet.clock.slept == pytest.approx(10 + SOAK_S, abs=1)
    assert capsys.readouterr().out.splitlines() == [
        "pool-wave-0: as declared; stays under watch for 100 s",
    ]


def test_a_wave_that_was_right_and_open_is_not_watched(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    roll_out(wave)
    before = fleet.clock.now
    VERIFICATION.update("pool-wave-0", wave, {**wave, "soak_s": SOAK_S})
    assert fleet.clock.now == before


def test_a_slice_that_is_lost_under_watch_fails_the_wave_at_once_and_it_stays_closed(fleet: Fleet) -> None:
    wave = changed(fleet)
    fleet.clock.after(40, lambda: fleet.cut("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}]))
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    assert str(failed.value).splitlines()[:2] == [
        "did not stay as declared while it was watched for 100 s:",
        "  slice destroyed: n1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",
    ]
    assert fleet.clock.slept < 60
    assert fleet.closed() == ["n1", "n2"]
    assert fleet.started_over() == [], "a watched wave is not helped"


def test_a_wave_that_fails_under_watch_is_rolled_back_where_that_is_wanted(fleet: Fleet) -> None:
    roll_out(a_wave("n1", "n2", layout=WIDE))
    wave = changed(fleet, on_failure="rollback")
    fleet.clock.after(40, lambda: fleet.cut("n1", [{}, {}]))
    with pytest.raises(VerificationFailed, match=f"rolled back to '{WIDE.config_name}'"):
        VERIFICATION.create(wave)
    assert fleet.configs() == {"n1": WIDE.config_name, "n2": WIDE.config_name}


def test_a_report_that_is_late_under_watch_is_waited_for_until_the_end(fleet: Fleet) -> None:
    wave = changed(fleet)
    fleet.clock.after(20, lambda: fleet.config_maps.pop(("mig-fleet", "mig-report-n1")))
    fleet.clock.after(60, lambda: fleet.report("n1"))
    VERIFICATION.create(wave)
    assert fleet.closed() == []


def test_a_report_that_is_missing_at_the_end_of_the_watch_fails_the_wave(fleet: Fleet) -> None:
    wave = changed(fleet)
    fleet.clock.after(20, lambda: fleet.config_maps.pop(("mig-fleet", "mig-report-n1")))
    with pytest.raises(VerificationFailed, match="report missing: n1"):
        VERIFICATION.create(wave)


def test_an_api_server_that_is_away_for_a_moment_is_no_reason_to_fail_a_watched_wave(fleet: Fleet) -> None:
    wave = changed(fleet, on_failure="rollback")
    away = ClusterUnreachable("the cluster does not answer")
    fleet.clock.after(40, lambda: fleet.answer("GET", "/nodes$", away, times=20))
    VERIFICATION.create(wave)
    assert fleet.configs() == {"n1": DENSE.config_name, "n2": DENSE.config_name}
    assert fleet.closed() == []
