"""Users' pods leave by themselves or through the Eviction API; a rollout never deletes one."""

from collections.abc import Callable

import pytest

from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable, Forbidden, TooManyRequests
from mig_fleet.model import labels
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.drain import EVICT_AGAIN_S
from tests.memory.fleet import DENSE, OPERATOR, WORK_S, Fleet
from tests.memory.wave import ASSIGNMENT, a_wave


def evictions(fleet: Fleet) -> list[str]:
    """The pods of all eviction requests, in order."""
    return [line.split("/")[-2] for line in fleet.writes() if line.endswith("/eviction")]


def refusal(fleet: Fleet, policy: str, isolation: str = "taint") -> str:
    """The error of an assignment to n1, which must leave the node unchanged."""
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.create(a_wave("n1", on_user_pods=policy, isolation=isolation))
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


def test_a_failure_of_the_api_server_at_an_eviction_is_printed_and_the_request_is_repeated(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.pod("web", "n1")
    fleet.fail_requests("POST", "/eviction", ClusterError("answered 500: etcdserver: request timed out"))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert evictions(fleet) == ["web"] * 2
    assert (
        "not evicted yet: the API server failed: answered 500: etcdserver: request timed out" in capsys.readouterr().out
    )


def test_an_eviction_that_the_api_server_never_performs_restores_scheduling_and_reports_its_reason(
    fleet: Fleet,
) -> None:
    fleet.pod("web", "n1")
    fleet.fail_requests("POST", "/eviction", ClusterError("the pod has a finalizer"), times=1000)
    assert refusal(fleet, "evict") == (
        "no node was relabelled: not evicted within 600 s: team/web (Deployment web) holds 1x mig-1g.10gb, because "
        "the API server failed: the pod has a finalizer\nscheduling restored: n1"
    )


def test_a_pod_that_leaves_although_the_answer_to_its_eviction_was_lost_counts_as_evicted(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.pod("web", "n1")

    def lose_the_answer() -> None:
        fleet.evict("team", "web")
        raise ClusterUnreachable("connection reset by peer")

    fleet.before_request("POST", "/eviction", lose_the_answer)
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert evictions(fleet) == ["web"]
    assert "pool-wave-0: evicted team/web" in capsys.readouterr().out.splitlines()


def test_a_server_that_does_not_answer_is_asked_for_one_eviction_at_a_time(fleet: Fleet) -> None:
    for name in ("a", "b", "c"):
        fleet.pod(name, "n1")
    asked: list[float] = []

    def answer_nothing() -> None:
        asked.append(fleet.clock.now)
        raise ClusterUnreachable("Read timed out")

    fleet.before_request("POST", "/eviction", answer_nothing, times=3)
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert len(set(asked)) == 3, "each request may take ten seconds"


def test_without_the_right_to_evict_the_drain_ends_at_once(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.fail_requests("POST", "/eviction", Forbidden("the cluster refuses POST /eviction"))
    assert refusal(fleet, "evict").startswith("no node was relabelled: the cluster refuses POST /eviction")
    assert fleet.clock.slept < 2


def test_a_new_pod_with_the_name_of_one_that_left_is_looked_at_before_it_is_evicted(fleet: Fleet) -> None:
    fleet.pod("web-0", "n1", owner="StatefulSet")

    def recreate() -> None:
        fleet.pod("web-0", "n1", owner="")

    fleet.before_request("POST", "/eviction", recreate)
    assert "that no controller would create again: team/web-0 (no owner)" in refusal(fleet, "evict")
    assert ("team", "web-0") in fleet.pods
    assert evictions(fleet) == ["web-0"], "only the pod that was listed"


def test_a_new_pod_of_a_stateful_set_is_evicted_without_the_pause_after_the_first_one(fleet: Fleet) -> None:
    fleet.pod("web-0", "n1", owner="StatefulSet")
    fleet.before_request("POST", "/eviction", lambda: fleet.pod("web-0", "n1", owner="StatefulSet"))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert evictions(fleet) == ["web-0"] * 2
    assert fleet.clock.slept < EVICT_AGAIN_S + WORK_S


def test_before_an_eviction_a_taint_that_another_client_removed_is_put_back(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.before_request("GET", "/pods$", lambda: fleet.patch("n1", {"spec": {"taints": None}}), skip=1)
    tainted: list[list[str]] = []
    fleet.before_request("POST", "/eviction", lambda: tainted.append(fleet.isolated()))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert tainted == [["n1"]], "otherwise the new pod may start on the same node, and is evicted again"


def test_no_pod_of_a_node_that_was_replaced_is_evicted(fleet: Fleet) -> None:
    fleet.pod("web", "n1")

    def replace() -> None:
        fleet.replace("n1")
        fleet.pod("other", "n1")

    fleet.before_request("GET", "/pods$", replace, skip=1)
    assert "node 'n1' was replaced during the update" in refusal(fleet, "evict")
    assert evictions(fleet) == []


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
    assert capsys.readouterr().out.splitlines()[-1] == "pool-wave-0: no pod is left on the affected GPUs"


def budget(name: str, **match_labels: str) -> dict[str, object]:
    """A PodDisruptionBudget of namespace ``team``."""
    return {"metadata": {"name": name, "namespace": "team"}, "spec": {"selector": {"matchLabels": match_labels}}}


def test_the_operators_own_pods_are_not_evicted(fleet: Fleet) -> None:
    fleet.pod("validator", "n1", owner="ClusterPolicy")
    fleet.pods[OPERATOR, "validator"] = fleet.pods.pop(("team", "validator"))
    labels = {"app": "nvidia-device-plugin-validator"}
    fleet.pods[OPERATOR, "validator"]["metadata"] |= {"namespace": OPERATOR, "labels": labels}
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


def run_static_pod(fleet: Fleet) -> None:
    fleet.pod("agent", "n1", owner="Node")
    fleet.pods["team", "agent"]["metadata"]["ownerReferences"][0]["name"] = "n1"


def run_mirror_pod_without_an_owner(fleet: Fleet) -> None:
    fleet.pod("agent", "n1", owner="")
    fleet.pods["team", "agent"]["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "1c0ffee2"}


@pytest.mark.parametrize("policy", ["wait", "evict"])
@pytest.mark.parametrize("run", [run_static_pod, run_mirror_pod_without_an_owner])
def test_a_static_pod_is_refused_before_anything_is_written(
    fleet: Fleet, policy: str, run: Callable[[Fleet], None]
) -> None:
    run(fleet)
    assert refusal(fleet, policy) == (
        "nothing was changed:\n  node 'n1' is in use by static pods, which the kubelet starts again at once: "
        "team/agent (Node n1) holds 1x mig-1g.10gb; move their manifests out of the kubelet's folder of static pods on "
        "the node, and back after the update"
    )
    assert fleet.writes() == []


EVERYTHING = {"operator": "Exists"}
OUR_TAINT = {"key": labels.TAINT, "operator": "Exists", "effect": "NoSchedule"}
UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}
ANOTHER = {"key": "nvidia.com/gpu", "operator": "Exists"}


def run_tolerating_pod(fleet: Fleet, toleration: dict[str, str], owner: str = "Deployment") -> None:
    fleet.pod("web", "n1", owner=owner)
    fleet.pods["team", "web"]["spec"]["tolerations"] = [toleration]


@pytest.mark.parametrize("policy", ["wait", "evict"])
@pytest.mark.parametrize(
    ("toleration", "isolation", "taint"),
    [
        (EVERYTHING, "taint", "mig-fleet.dev/reconfiguring:NoSchedule"),
        (OUR_TAINT, "taint", "mig-fleet.dev/reconfiguring:NoSchedule"),
        (EVERYTHING, "cordon", "node.kubernetes.io/unschedulable:NoSchedule"),
        (UNSCHEDULABLE, "cordon", "node.kubernetes.io/unschedulable:NoSchedule"),
    ],
)
def test_a_pod_that_tolerates_our_isolation_is_refused_before_anything_is_written(
    fleet: Fleet, policy: str, toleration: dict[str, str], isolation: str, taint: str
) -> None:
    run_tolerating_pod(fleet, toleration)
    assert refusal(fleet, policy, isolation=isolation) == (
        f"nothing was changed:\n  node 'n1' is in use by pods that tolerate {taint}, so that new ones may start "
        "there at once: team/web (Deployment web) holds 1x mig-1g.10gb; remove that toleration from their controller, "
        "or scale it to 0 until the update is done"
    )
    assert fleet.writes() == []


@pytest.mark.parametrize(
    ("toleration", "isolation"),
    [(ANOTHER, "taint"), (UNSCHEDULABLE, "taint"), (ANOTHER, "cordon"), (OUR_TAINT, "cordon")],
)
def test_a_pod_that_tolerates_only_other_taints_is_evicted(
    fleet: Fleet, toleration: dict[str, str], isolation: str
) -> None:
    run_tolerating_pod(fleet, toleration)
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict", isolation=isolation))
    assert evictions(fleet) == ["web"]


@pytest.mark.parametrize("owner", ["Job", ""])
def test_a_pod_that_ends_by_itself_is_waited_for_whatever_it_tolerates(fleet: Fleet, owner: str) -> None:
    run_tolerating_pod(fleet, EVERYTHING, owner)
    fleet.clock.after(20, lambda: fleet.pods.pop(("team", "web")))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="wait"))
    assert fleet.configs()["n1"] == DENSE.config_name


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
