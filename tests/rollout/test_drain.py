"""Users' pods leave by themselves or by the Eviction API; nothing else ever ends one."""

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.rollout.assign import AssignmentFailed
from tests.memory.fleet import DENSE, OPERATOR, WORK_S, Fleet
from tests.memory.wave import ASSIGNMENT, a_wave


def evictions(fleet: Fleet) -> list[str]:
    return [line.split("/")[-2] for line in fleet.written() if line.endswith("/eviction")]


def refusal(fleet: Fleet, policy: str) -> str:
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.create(a_wave("n1", on_user_pods=policy))
    assert fleet.labelled() == [], "a node is never cut below somebody's feet"
    assert fleet.closed() == []
    return str(refused.value)


def test_wait_closes_the_node_and_waits_for_its_pods_to_end(fleet: Fleet) -> None:
    fleet.pod("batch", "n1", owner="Job")
    closed = []
    fleet.clock.after(100, lambda: closed.append(fleet.closed()))
    fleet.clock.after(200, lambda: fleet.pods.pop(("team", "batch")))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="wait"))
    assert closed == [["n1"]]
    assert 200 <= fleet.clock.slept < 205
    assert fleet.configs()["n1"] == DENSE.config_name
    assert evictions(fleet) == []


def test_wait_gives_up_at_the_deadline_and_opens_the_node_again(fleet: Fleet) -> None:
    fleet.pod("batch", "n1", owner="Job")
    assert refusal(fleet, "wait") == (
        "no node was relabelled: still running after 600 s: team/batch (Job batch) holds 1x mig-1g.10gb\nopen again: n1"
    )


def test_evict_asks_for_each_pod_once_and_waits_until_it_is_gone(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.pod("api", "n1")
    fleet.pod("elsewhere", "n2")
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert sorted(evictions(fleet)) == ["api", "web"]
    assert fleet.clock.slept >= WORK_S
    assert fleet.configs()["n1"] == DENSE.config_name
    assert ("team", "elsewhere") in fleet.pods


def test_what_was_evicted_is_told(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.pod("web", "n1")
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert capsys.readouterr().out.splitlines()[:2] == [
        "pool-wave-0: waits for 1 pod(s) to leave: team/web (Deployment web) holds 1x mig-1g.10gb",
        "pool-wave-0: evicted team/web",
    ]


def test_a_disruption_budget_is_respected_and_asked_again_every_few_seconds(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.budget["web"] = 6
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert evictions(fleet) == ["web"] * 7
    assert 6 * 5 <= fleet.clock.slept <= 6 * 5 + WORK_S + 5


def test_a_budget_that_never_allows_it_is_named_at_the_deadline(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.budget["web"] = 1000
    assert refusal(fleet, "evict") == (
        "no node was relabelled: not evicted within 600 s, because a PodDisruptionBudget does not allow it: team/web "
        "(Deployment web) holds 1x mig-1g.10gb; see `kubectl -n team get poddisruptionbudgets`\nopen again: n1"
    )


def test_a_pod_that_was_told_to_leave_and_does_not_is_described(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.stays.add("web")
    assert refusal(fleet, "evict") == (
        "no node was relabelled: still terminating after 600 s: team/web (Deployment web) holds 1x mig-1g.10gb; see "
        "why with `kubectl -n team describe pod web`\nopen again: n1"
    )
    assert evictions(fleet) == ["web"], "it was told once"


@pytest.mark.parametrize("policy", ["wait", "evict"])
def test_a_pod_of_a_daemon_set_would_come_back_and_is_refused_before_anything_is_touched(
    fleet: Fleet, policy: str
) -> None:
    fleet.pod("agent", "n1", owner="DaemonSet")
    assert refusal(fleet, policy) == (
        "nothing was changed:\n  node 'n1' is in use by pods of a DaemonSet, which would come back at once: team/agent "
        "(DaemonSet agent) holds 1x mig-1g.10gb; keep that DaemonSet off the node, by its nodeSelector for example"
    )
    assert fleet.written() == []


def test_a_pod_that_nothing_would_start_again_is_not_evicted(fleet: Fleet) -> None:
    fleet.pod("by-hand", "n1", owner="")
    assert refusal(fleet, "evict") == (
        "nothing was changed:\n  node 'n1' is in use by pods that nothing would start again: team/by-hand (no owner) "
        "holds 1x mig-1g.10gb; delete them yourself, or choose onUserPods: wait"
    )
    assert fleet.written() == []


def test_a_pod_that_nothing_would_start_again_may_be_waited_for(fleet: Fleet) -> None:
    fleet.pod("by-hand", "n1", owner="")
    fleet.clock.after(20, lambda: fleet.pods.pop(("team", "by-hand")))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="wait"))
    assert fleet.configs()["n1"] == DENSE.config_name


@pytest.mark.parametrize("owner", ["", "DaemonSet"])
def test_a_pod_that_must_not_be_moved_is_not_moved_either_when_it_comes_after_the_preflight(
    fleet: Fleet, owner: str
) -> None:
    fleet.meanwhile("GET", "/pods$", lambda: fleet.pod("late", "n1", owner=owner), skip=1)
    assert "node 'n1' is in use by pods" in refusal(fleet, "evict")
    assert evictions(fleet) == []


def test_a_pod_that_comes_after_the_preflight_is_refused_where_pods_are(fleet: Fleet) -> None:
    fleet.meanwhile("GET", "/pods$", lambda: fleet.pod("late", "n1"), skip=1)
    assert refusal(fleet, "refuse") == (
        "no node was relabelled: node 'n1' is in use: team/late (Deployment late) holds 1x mig-1g.10gb; move them "
        "away, or choose onUserPods: wait or evict\nopen again: n1"
    )


def test_the_operators_own_pods_are_not_users(fleet: Fleet) -> None:
    fleet.pod("validator", "n1", owner="DaemonSet")
    fleet.pods[OPERATOR, "validator"] = fleet.pods.pop(("team", "validator"))
    fleet.pods[OPERATOR, "validator"]["metadata"]["namespace"] = OPERATOR
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert (OPERATOR, "validator") in fleet.pods
    assert evictions(fleet) == []


def test_a_pod_that_was_gone_before_it_was_asked_counts_as_gone(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.meanwhile("POST", "/web/eviction", lambda: fleet.pods.pop(("team", "web")))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert fleet.configs()["n1"] == DENSE.config_name


def test_an_eviction_that_the_server_cannot_do_opens_the_node_and_passes_its_reason_on(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.answer("POST", "/eviction", ClusterError("this pod has more than one PodDisruptionBudget"))
    assert refusal(fleet, "evict") == (
        "no node was relabelled: this pod has more than one PodDisruptionBudget\nopen again: n1"
    )
