"""An update that would leave pods without slices is refused before anything changes, unless the stack allows it; one
that leaves pods Pending names them at its end.
"""

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.stranding.pending_pods import SCHEDULING_S
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import CREATES_NOTHING, DENSE, SUCCEEDS, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out


def widen(**changes: object) -> Props:
    """The wave of n1, with a layout that does not offer what its pods request."""
    return a_wave("n1", layout=WIDE, **{"on_user_pods": "evict", **changes})


@pytest.fixture
def dense(fleet: Fleet) -> Fleet:
    """n1 offers 14 slices 1g.10gb; n2 offers whole GPUs."""
    roll_out(a_wave("n1"))
    fleet.pod("web", "n1")
    fleet.clear_requests()
    return fleet


NO_SLICE = "0/2 nodes fit: 2 without mig-1g.10gb"
WAYS_OUT = "offer slices that these pods may use, or free some, or choose onStrandedPods: warn"


def refusal(fleet: Fleet, wave: Props) -> list[str]:
    """The lines of the refusal; nothing may have been written."""
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.create(wave)
    assert fleet.writes() == []
    return [line.strip() for line in str(refused.value).splitlines()]


def test_an_update_whose_evicted_pod_would_find_no_slice_is_refused_and_nothing_is_changed(dense: Fleet) -> None:
    assert refusal(dense, widen()) == [
        "nothing was changed:",
        "1 pod would find no slice on any node where it may run:",
        "team/web (Deployment web) runs on n1 and requests mig-1g.10gb",
        NO_SLICE,
        WAYS_OUT,
    ]


def test_every_pod_is_named_up_to_twenty(dense: Fleet) -> None:
    for number in range(24):
        dense.pod(f"more-{number:02}", "n1")
    lines = refusal(dense, widen())
    assert lines[1] == "25 pods would find no slice on any node where they may run:"
    assert len(lines) == 2 + 20 + 3 and lines[-3:] == [NO_SLICE, "and 5 more", WAYS_OUT]


def test_a_free_slice_on_another_node_is_enough(dense: Fleet) -> None:
    dense.add("n3", DENSE.config_name)
    ASSIGNMENT.create(widen())
    assert dense.configs()["n1"] == WIDE.config_name


def test_a_free_slice_where_the_pod_may_not_run_is_not(dense: Fleet) -> None:
    dense.add("n3", DENSE.config_name)
    dense.taint("n3", "dedicated")
    assert refusal_reason(dense) == "0/3 nodes fit: 2 without mig-1g.10gb, 1 with taint dedicated:NoSchedule"


def refusal_reason(fleet: Fleet) -> str:
    fleet.clear_requests()
    return refusal(fleet, widen())[3]


def test_pods_that_wait_for_slices_that_no_node_will_offer_are_a_reason_too(dense: Fleet) -> None:
    del dense.pods["team", "web"]
    dense.pod("queue")
    for policy in ("refuse", "wait", "evict"):
        line = "team/queue (Deployment queue) is not scheduled and requests mig-1g.10gb"
        assert refusal(dense, widen(on_user_pods=policy))[2:] == [line, NO_SLICE, WAYS_OUT]


def test_a_node_in_use_is_reported_once(dense: Fleet) -> None:
    lines = refusal(dense, widen(on_user_pods="refuse"))
    assert len(lines) == 2 and lines[1].startswith("node 'n1' is in use: team/web"), lines


def test_a_job_that_is_waited_for_needs_no_other_slice(dense: Fleet) -> None:
    del dense.pods["team", "web"]
    dense.pod("batch", "n1", owner="Job")
    dense.clock.after(20, lambda: dense.pods.pop(("team", "batch")))
    ASSIGNMENT.create(widen(on_user_pods="wait"))
    assert dense.configs()["n1"] == WIDE.config_name


def test_the_same_slices_under_another_name_strand_no_pod(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    fleet.label("n1", labels.CONFIG, "all-1g.10gb")
    fleet.label("n1", labels.STATE, "success")
    fleet.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 7}])
    fleet.pod("web", "n1")
    fleet.pod("queue")
    ASSIGNMENT.create(a_wave("n1"))
    assert fleet.configs()["n1"] == DENSE.config_name


# The setting is `warn`


def test_with_warn_the_update_names_the_pods_and_goes_on(dense: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    ASSIGNMENT.create(widen(on_stranded_pods="warn"))
    assert dense.configs()["n1"] == WIDE.config_name
    assert capsys.readouterr().out.splitlines()[:3] == [
        "pool-wave-0: 1 pod would find no slice on any node where it may run:",
        "pool-wave-0: team/web (Deployment web) runs on n1 and requests mig-1g.10gb",
        f"pool-wave-0: {NO_SLICE}",
    ]


def test_a_change_of_the_setting_alone_reaches_the_state_that_a_deletion_uses(fleet: Fleet) -> None:
    assert ASSIGNMENT.diff("id", a_wave("n1"), a_wave("n1", on_stranded_pods="warn")).changes is True


def test_a_rollback_is_not_refused(fleet: Fleet) -> None:
    """A pod waits for the new slices, which one node of the wave has and the other one has not."""
    roll_out(a_wave("n1", "n2"))
    fleet.manager_outcomes["n2"] = [CREATES_NOTHING, SUCCEEDS]
    wave = a_wave("n1", "n2", layout=WIDE, on_failure="rollback", recovery=False)
    ASSIGNMENT.create(wave)
    fleet.pod("queue", resource="nvidia.com/mig-3g.40gb")
    with pytest.raises(VerificationFailed, match="rolled back to"):
        VERIFICATION.create(wave)
    assert set(fleet.configs().values()) == {DENSE.config_name}


# The end of an update


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def replace_when_evicted(fleet: Fleet, name: str = "web-2") -> None:
    """The pod's controller creates another one as soon as it is evicted."""
    fleet.before_request("POST", "/web/eviction", lambda: fleet.pod(name))


def test_an_update_that_leaves_a_pod_pending_names_it_last(dense: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    replace_when_evicted(dense)
    dense.pod("queue", resource="nvidia.com/mig-4g.40gb")
    roll_out(widen(on_stranded_pods="warn"))
    assert last_line(capsys) == (
        "pool-wave-0: 1 pod is Pending since this change: team/web-2 (Deployment web-2) is not scheduled and requests "
        f"mig-1g.10gb: {NO_SLICE}; see `kubectl -n team describe pod web-2`"
    )
    assert dense.isolated() == []


def test_a_pod_that_finds_a_free_slice_gets_time_to_be_scheduled(
    dense: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    dense.add("n3", DENSE.config_name)
    replace_when_evicted(dense)
    wave = widen()
    ASSIGNMENT.create(wave)
    dense.before_request("GET", "/pods$", lambda: dense.clock.after(5, schedule), skip=0)

    def schedule() -> None:
        dense.pods["team", "web-2"]["spec"]["nodeName"] = "n3"

    VERIFICATION.create(wave)
    assert last_line(capsys) == "pool-wave-0: every pod with GPU resources is scheduled"


def test_a_pod_that_the_scheduler_does_not_place_for_another_reason_is_named_with_that_reason(
    dense: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    dense.add("n3", DENSE.config_name)
    replace_when_evicted(dense)
    wave = widen()
    ASSIGNMENT.create(wave)
    message = "0/3 nodes are available: 3 Insufficient cpu."
    dense.pods["team", "web-2"]["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "message": message}
    ]
    before = dense.clock.slept
    VERIFICATION.create(wave)
    assert message in last_line(capsys)
    assert SCHEDULING_S <= dense.clock.slept - before < SCHEDULING_S + 30


def test_an_update_without_pending_pods_prints_nothing_about_them(
    dense: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    dense.pod("queue", resource="nvidia.com/mig-4g.40gb")
    roll_out(widen(on_stranded_pods="warn"))
    assert last_line(capsys) == "pool-wave-0: scheduling restored: n1"


def test_a_verified_wave_does_not_fail_because_pods_cannot_be_listed(
    dense: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    wave = widen(on_stranded_pods="warn")
    ASSIGNMENT.create(wave)
    dense.fail_requests("GET", "/pods$", ClusterError("pods are forbidden"), times=100)
    VERIFICATION.create(wave)
    assert last_line(capsys) == "pool-wave-0: it is not known whether pods are Pending: pods are forbidden"


def test_a_check_of_an_unchanged_wave_lists_no_pods(dense: Fleet) -> None:
    VERIFICATION.create(a_wave("n1"))
    assert not [path for _, path, _ in dense.requests if path.endswith("/pods")]


# Several waves


def test_each_wave_is_checked_by_what_the_cluster_offers_at_that_moment(fleet: Fleet) -> None:
    """Pods of the first wave find slices on the nodes of the second, and then none are left."""
    roll_out(a_wave("n1"))
    roll_out(a_wave("n2", wave="pool-wave-1"))
    fleet.pod("web", "n1")
    roll_out(widen())
    fleet.pod("web-2", "n2")
    with pytest.raises(AssignmentFailed, match="1 pod would find no slice"):
        ASSIGNMENT.create(a_wave("n2", wave="pool-wave-1", layout=WIDE, on_user_pods="evict"))


def test_a_pod_that_is_scheduled_in_a_moment_counts_for_the_next_wave(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    roll_out(a_wave("n2", wave="pool-wave-1"))
    roll_out(widen())
    fleet.pod("web-2")
    with pytest.raises(AssignmentFailed, match="team/web-2"):
        ASSIGNMENT.create(a_wave("n2", wave="pool-wave-1", layout=WIDE, on_user_pods="evict"))
