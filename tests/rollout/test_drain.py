"""Users' pods leave by themselves or through the Eviction API; a rollout never deletes one."""

import pytest

from mig_fleet.cluster.errors import ClusterError, TooManyRequests
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.drain import EVICT_AGAIN_S
from tests.memory.fleet import DENSE, OPERATOR, WORK_S, Fleet
from tests.memory.wave import ASSIGNMENT, a_wave


def evictions(fleet: Fleet) -> list[str]:
    """The pods of all eviction requests, in order."""
    return [line.split("/")[-2] for line in fleet.writes() if line.endswith("/eviction")]


def refusal(fleet: Fleet, policy: str) -> str:
    """The error of an assignment to n1, which must leave the node unchanged."""
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.create(a_wave("n1", on_user_pods=policy))
    assert fleet.written_configs() == [], "a node in use is never reconfigured"
    assert fleet.isolated() == []
    return str(refused.value)


# wait


def test_wait_isolates_the_node_and_waits_until_its_pods_end(fleet: Fleet) -> None:
    fleet.pod("batch", "n1", owner="Job")
    isolated: list[list[str]] = []
    fleet.clock.after(100, lambda: isolated.append(fleet.isolated()))
    fleet.clock.after(200, lambda: fleet.pods.pop(("team", "batch")))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="wait"))
    assert isolated == [["n1"]]
    assert 200 <= fleet.clock.slept < 205
    assert fleet.configs()["n1"] == DENSE.config_name
    assert evictions(fleet) == []


def test_wait_gives_up_at_the_timeout_and_restores_scheduling(fleet: Fleet) -> None:
    fleet.pod("batch", "n1", owner="Job")
    assert refusal(fleet, "wait") == (
        "no node was relabelled: still running after 600 s: team/batch (Job batch) holds 1x mig-1g.10gb\n"
        "scheduling restored: n1"
    )


def test_wait_accepts_a_pod_without_a_controller(fleet: Fleet) -> None:
    fleet.pod("by-hand", "n1", owner="")
    fleet.clock.after(20, lambda: fleet.pods.pop(("team", "by-hand")))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="wait"))
    assert fleet.configs()["n1"] == DENSE.config_name


# evict


def test_evict_requests_each_eviction_once_and_waits_until_the_pods_are_gone(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.pod("api", "n1")
    fleet.pod("elsewhere", "n2")
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert sorted(evictions(fleet)) == ["api", "web"]
    assert fleet.clock.slept >= WORK_S
    assert fleet.configs()["n1"] == DENSE.config_name
    assert ("team", "elsewhere") in fleet.pods


def test_evicted_pods_are_printed(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.pod("web", "n1")
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "pool-wave-0: waits for 1 pod(s) to leave: team/web (Deployment web) holds 1x mig-1g.10gb",
        "pool-wave-0: evicted team/web",
    ]


def test_an_eviction_that_a_disruption_budget_refuses_is_requested_again_every_few_seconds(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.refused_evictions["web"] = 6
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert evictions(fleet) == ["web"] * 7
    assert 6 * EVICT_AGAIN_S <= fleet.clock.slept <= 6 * EVICT_AGAIN_S + WORK_S + 5


def test_a_disruption_budget_that_never_allows_the_eviction_is_named_at_the_timeout(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.refused_evictions["web"] = 1000
    assert refusal(fleet, "evict") == (
        "no node was relabelled: not evicted within 600 s: team/web (Deployment web) holds 1x mig-1g.10gb, because "
        "PodDisruptionBudget web needs 2 healthy pods and has 2 currently; see `kubectl -n team get "
        "poddisruptionbudgets`\n"
        "scheduling restored: n1"
    )


def test_a_pod_that_never_ends_after_its_eviction_is_named_with_the_command_that_shows_why(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.never_terminating.add("web")
    assert refusal(fleet, "evict") == (
        "no node was relabelled: still terminating after 600 s: team/web (Deployment web) holds 1x mig-1g.10gb; see "
        "why with `kubectl -n team describe pod web`\nevicted before that: team/web\nscheduling restored: n1"
    )
    assert evictions(fleet) == ["web"], "requested once"


def test_a_pod_without_a_controller_is_not_evicted(fleet: Fleet) -> None:
    fleet.pod("by-hand", "n1", owner="")
    assert refusal(fleet, "evict") == (
        "nothing was changed:\n  node 'n1' is in use by pods that no controller would create again: team/by-hand "
        "(no owner) holds 1x mig-1g.10gb; delete them yourself, or choose onUserPods: wait"
    )
    assert fleet.writes() == []


def test_a_pod_that_is_gone_before_the_eviction_request_counts_as_evicted(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.before_request("POST", "/web/eviction", lambda: fleet.pods.pop(("team", "web")))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert fleet.configs()["n1"] == DENSE.config_name


def test_an_eviction_that_the_api_server_cannot_perform_restores_scheduling_and_reports_its_reason(
    fleet: Fleet,
) -> None:
    fleet.pod("web", "n1")
    fleet.fail_requests("POST", "/eviction", ClusterError("the pod has a finalizer"))
    assert refusal(fleet, "evict") == "no node was relabelled: the pod has a finalizer\nscheduling restored: n1"


@pytest.mark.parametrize(
    ("listed", "reason"),
    [(True, "by-app, by-tier"), (False, "see `kubectl -n team get poddisruptionbudgets`")],
    ids=["named", "without the right to list them"],
)
def test_a_pod_with_two_disruption_budgets_is_never_evicted_and_the_error_names_both(
    fleet: Fleet, listed: bool, reason: str
) -> None:
    fleet.pod("web", "n1")
    fleet.budgets += [budget("by-app", app="web"), budget("by-tier", app="web"), budget("other", app="api")]
    fleet.fail_requests("POST", "/eviction", ClusterError("This pod has more than one PodDisruptionBudget, which"))
    if not listed:
        fleet.fail_requests("GET", "/poddisruptionbudgets", ClusterError("forbidden"))
    assert refusal(fleet, "evict") == (
        "no node was relabelled: not evicted: team/web (Deployment web) holds 1x mig-1g.10gb, because more than one "
        f"PodDisruptionBudget selects it: {reason}\nscheduling restored: n1"
    )


def test_an_answer_that_names_no_budget_is_completed_by_the_budgets_selectors(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.budgets += [budget("guard", app="web"), budget("other", app="api")]
    fleet.fail_requests("POST", "/eviction", TooManyRequests("Cannot evict pod"), times=1000)
    assert "because PodDisruptionBudget guard does not allow it; see" in refusal(fleet, "evict")


def test_an_answer_that_names_no_budget_where_none_selects_the_pod_is_a_busy_server(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.fail_requests("POST", "/eviction", TooManyRequests("too many requests"), times=1000)
    assert "because the API server is too busy; see" in refusal(fleet, "evict")


def test_without_the_right_to_list_budgets_an_unnamed_one_is_reported_as_that(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.fail_requests("POST", "/eviction", TooManyRequests("Cannot evict pod"), times=1000)
    fleet.fail_requests("GET", "/poddisruptionbudgets", ClusterError("forbidden"), times=1000)
    assert "because a PodDisruptionBudget does not allow it; see" in refusal(fleet, "evict")


def test_the_progress_and_the_error_name_the_budget_that_blocks_and_the_pods_already_evicted(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.pod("api", "n1")
    fleet.pod("web", "n1")
    fleet.refused_evictions["web"] = 1000
    blocked = "PodDisruptionBudget web needs 2 healthy pods and has 2 currently"
    text = refusal(fleet, "evict")
    assert f"because {blocked}" in text and "\nevicted before that: team/api\n" in text
    assert f"not evicted yet: {blocked}; evicted so far: team/api" in capsys.readouterr().out


def test_a_progress_line_that_is_no_longer_true_is_not_the_last_one(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.pod("web", "n1")
    fleet.clock.after(20, lambda: fleet.pods.pop(("team", "web")))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="wait"))
    assert capsys.readouterr().out.splitlines()[-1] == "pool-wave-0: the pods have left"


def budget(name: str, **match_labels: str) -> dict[str, object]:
    """A PodDisruptionBudget of namespace ``team``."""
    return {"metadata": {"name": name, "namespace": "team"}, "spec": {"selector": {"matchLabels": match_labels}}}


def test_the_operators_own_pods_are_not_evicted(fleet: Fleet) -> None:
    fleet.pod("validator", "n1", owner="DaemonSet")
    fleet.pods[OPERATOR, "validator"] = fleet.pods.pop(("team", "validator"))
    fleet.pods[OPERATOR, "validator"]["metadata"]["namespace"] = OPERATOR
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert (OPERATOR, "validator") in fleet.pods
    assert evictions(fleet) == []


# Pods that no policy moves


@pytest.mark.parametrize("policy", ["wait", "evict"])
def test_a_pod_of_a_daemon_set_is_refused_before_anything_is_written(fleet: Fleet, policy: str) -> None:
    fleet.pod("agent", "n1", owner="DaemonSet")
    assert refusal(fleet, policy) == (
        "nothing was changed:\n  node 'n1' is in use by pods of a DaemonSet, which would create them again at once: "
        "team/agent (DaemonSet agent) holds 1x mig-1g.10gb; keep that DaemonSet off the node, for example with its "
        "nodeSelector"
    )
    assert fleet.writes() == []


@pytest.mark.parametrize("owner", ["", "DaemonSet"])
def test_a_pod_that_must_not_be_moved_and_starts_after_the_preflight_is_not_moved_either(
    fleet: Fleet, owner: str
) -> None:
    fleet.before_request("GET", "/pods$", lambda: fleet.pod("late", "n1", owner=owner), skip=1)
    assert "node 'n1' is in use by pods" in refusal(fleet, "evict")
    assert evictions(fleet) == []


def test_under_refuse_a_pod_that_starts_after_the_preflight_is_refused_too(fleet: Fleet) -> None:
    fleet.before_request("GET", "/pods$", lambda: fleet.pod("late", "n1"), skip=1)
    assert refusal(fleet, "refuse") == (
        "no node was relabelled: node 'n1' is in use: team/late (Deployment late) holds 1x mig-1g.10gb; move them "
        "away, or choose onUserPods: wait or evict\nscheduling restored: n1"
    )
