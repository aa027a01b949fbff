"""A change is refused for pods with claims, too: those whose slices no node would have afterwards, and those that wait
for such slices; and the end of an update names those that still wait.
"""

from typing import Any

import pytest

from mig_fleet.observed import snapshot
from mig_fleet.rollout.assign import AssignmentFailed
from tests.memory.dra_fleet import DraFleet, a_dra_wave
from tests.memory.fleet import WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

DEVICE = "gpu-0-mig-1g10gb-19-0"
NO_SLICE = "0/2 nodes fit: 2 without mig-1g.10gb"
WAYS_OUT = "offer slices that these pods may use, or free some, or choose onStrandedPods: warn"
NOT_ALLOCATED = "0/2 nodes are available: 2 cannot allocate all claims."


@pytest.fixture
def dense(dra: DraFleet) -> DraFleet:
    """n1 publishes 14 slices 1g.10gb; n2 publishes whole GPUs."""
    roll_out(a_dra_wave("n1"))
    dra.clear_requests()
    return dra


def widen(**changes: Any) -> Props:
    return a_dra_wave("n1", layout=WIDE, **{"on_user_pods": "evict", **changes})


def refusal(fleet: Fleet, wave: Props) -> list[str]:
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.create(wave)
    assert fleet.writes() == []
    return [line.strip() for line in str(refused.value).splitlines()]


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


# Pods that lose their slices


def test_a_pod_whose_claimed_slice_no_node_would_have_is_a_reason_against_the_change(dense: DraFleet) -> None:
    dense.claiming_pod("web", "n1", DEVICE)
    assert refusal(dense, widen()) == [
        "nothing was changed:",
        "1 pod would find no slice on any node where it may run:",
        "team/web (Deployment web) runs on n1 and requests mig-1g.10gb",
        NO_SLICE,
        WAYS_OUT,
    ]


def test_a_slice_that_another_node_publishes_is_enough(dense: DraFleet) -> None:
    dense.claiming_pod("web", "n1", DEVICE)
    dense.partition("n2", [{"1g.10gb": 1}, None])
    dense.publish("n2")
    ASSIGNMENT.create(widen())
    assert dense.configs()["n1"] == WIDE.config_name


def test_a_slice_in_use_elsewhere_is_not(dense: DraFleet) -> None:
    dense.claiming_pod("web", "n1", DEVICE)
    dense.partition("n2", [{"1g.10gb": 1}, None])
    dense.publish("n2")
    dense.claiming_pod("there", "n2", DEVICE)
    assert refusal(dense, widen())[3] == "0/2 nodes fit: 1 with no free mig-1g.10gb, 1 without mig-1g.10gb"


def test_pods_that_share_a_claim_need_one_slice_together(dense: DraFleet) -> None:
    dense.claiming_pod("web", "n1", DEVICE)
    share(dense, "web", "web-too", "n1")
    dense.partition("n2", [{"1g.10gb": 2}, None])
    dense.publish("n2")
    dense.claiming_pod("there", "n2", DEVICE)
    share(dense, "there", "there-too", "n2")
    ASSIGNMENT.create(widen())
    assert dense.configs()["n1"] == WIDE.config_name


def share(fleet: DraFleet, first: str, second: str, node: str) -> None:
    """Another pod uses the claim of the first one."""
    fleet.pod(second, node)
    pod = fleet.pods["team", second]
    pod["spec"]["containers"] = [{"name": "main"}]
    user = {"resource": "pods", "name": second, "uid": pod["metadata"]["uid"]}
    fleet.claims[first]["status"]["reservedFor"].append(user)


def test_a_device_that_is_not_published_any_more_strands_no_pod(dense: DraFleet) -> None:
    dense.claiming_pod("web", "n1", "gpu-0-mig-7g80gb-0-0")
    ASSIGNMENT.create(widen())
    assert dense.configs()["n1"] == WIDE.config_name, "which slices the pod needs is not known"


# Pods that are not scheduled


@pytest.mark.parametrize("message", ["", NOT_ALLOCATED])
def test_a_pod_that_waits_for_a_claim_which_no_node_could_serve_is_a_reason_too(dense: DraFleet, message: str) -> None:
    dense.waiting_pod("queue", "1g.10gb", message=message)
    line = "team/queue (Deployment queue) is not scheduled and requests mig-1g.10gb"
    for policy in ("refuse", "wait", "evict"):
        assert refusal(dense, widen(on_user_pods=policy))[2:] == [line, NO_SLICE, WAYS_OUT]


def test_a_preview_lists_it_and_reads_no_more_than_before(dense: DraFleet) -> None:
    dense.waiting_pod("queue", "1g.10gb")
    snapshot.invalidate()
    dense.clear_requests()
    found = ASSIGNMENT.check(a_dra_wave("n1"), widen())
    assert found.failures == []
    assert found.inputs["podsUnschedulable"] == [
        "team/queue (Deployment queue) is not scheduled and requests mig-1g.10gb",
        NO_SLICE,
        "pool-wave-0 will be refused (onStrandedPods: refuse)",
        WAYS_OUT,
    ]
    read = [path.rpartition("/")[2] for _, path, _ in dense.requests if "resource.k8s.io" in path]
    assert sorted(read) == ["resourceclaims", "resourceslices"]


def test_a_pod_that_is_scheduled_in_a_moment_competes_for_the_free_slices(dense: DraFleet) -> None:
    dense.claiming_pod("web", "n1", DEVICE)
    dense.partition("n2", [{"1g.10gb": 1}, None])
    dense.publish("n2")
    dense.waiting_pod("from-the-wave-before", "1g.10gb", message=NOT_ALLOCATED)
    assert refusal(dense, widen())[2].startswith("team/from-the-wave-before (Deployment from-the-wave-before)")


@pytest.mark.parametrize("lacks", ["cpu", "a network card", "something that the claim says beside the slice"])
def test_a_pod_that_may_lack_something_else_does_not_compete(dense: DraFleet, lacks: str) -> None:
    dense.claiming_pod("web", "n1", DEVICE)
    dense.partition("n2", [{"1g.10gb": 1}, None])
    dense.publish("n2")
    message = "0/2 nodes are available: 2 Insufficient cpu." if lacks == "cpu" else NOT_ALLOCATED
    dense.waiting_pod("queue", "1g.10gb", message=message)
    devices = dense.claims["queue"]["spec"]["devices"]
    if lacks == "a network card":
        devices["requests"].append({"name": "card", "exactly": {"deviceClassName": "nic.dra.net"}})
    if lacks.startswith("something"):
        devices["constraints"] = [{"matchAttribute": "gpu.nvidia.com/parentUUID"}]
    ASSIGNMENT.create(widen())
    assert dense.configs()["n1"] == WIDE.config_name


def test_a_pod_whose_claim_is_not_made_yet_is_not_counted(dense: DraFleet) -> None:
    dense.waiting_pod("queue", "1g.10gb")
    dense.pods["team", "queue"]["status"]["resourceClaimStatuses"] = []
    ASSIGNMENT.create(widen())
    assert dense.configs()["n1"] == WIDE.config_name


def test_without_dra_no_claim_is_read_so_its_pod_is_not_counted(
    dense: DraFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "register", lambda name: Fleet.register(dense, name))
    dense.partition("n1", dense.per_gpu["n1"])
    dense.waiting_pod("queue", "1g.10gb")
    ASSIGNMENT.create(a_wave("n1", layout=WIDE))
    assert dense.configs()["n1"] == WIDE.config_name


# The end of an update


def test_an_update_that_leaves_a_pod_waiting_for_its_claim_names_it_last(
    dense: DraFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    dense.claiming_pod("web", "n1", DEVICE)
    dense.waiting_pod("before", "4g.40gb", message=NOT_ALLOCATED)
    dense.before_request("POST", "/web/eviction", lambda: dense.waiting_pod("web-2", "1g.10gb"))
    roll_out(widen(on_stranded_pods="warn"))
    assert last_line(capsys) == (
        "pool-wave-0: 1 pod is Pending since this change: team/web-2 (Deployment web-2) is not scheduled and requests "
        f"mig-1g.10gb: {NO_SLICE}; see `kubectl -n team describe pod web-2`"
    )


def test_a_pod_whose_claim_finds_a_free_slice_gets_time_to_be_scheduled(
    dense: DraFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    dense.claiming_pod("web", "n1", DEVICE)
    dense.partition("n2", [{"1g.10gb": 1}, None])
    dense.publish("n2")
    dense.before_request("POST", "/web/eviction", lambda: dense.waiting_pod("web-2", "1g.10gb"))
    wave = widen()
    ASSIGNMENT.create(wave)
    dense.before_request("GET", "/pods$", lambda: dense.clock.after(5, lambda: dense.allocate("web-2", "n2", DEVICE)))
    VERIFICATION.create(wave)
    assert last_line(capsys) == "pool-wave-0: every pod with GPU resources is scheduled"
