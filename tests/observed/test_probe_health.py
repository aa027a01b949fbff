"""What is wrong with a probe that does not report."""

from typing import Any

import pytest

from mig_fleet.cluster.errors import Forbidden
from mig_fleet.model import labels
from mig_fleet.observed.drift import Difference, DriftClass
from mig_fleet.observed.probe_health import (
    MOST_LOGS,
    UNKNOWN,
    Probes,
    Problem,
    read_probe_health,
    silent_nodes,
    with_problems,
)
from tests.memory.api import MemoryCluster
from tests.memory.fleet import PROBE_ACCOUNT, PROBE_DAEMON_SET, PROBES, Fleet

RESTORE = "run `pulumi up`, which restores it"
NO_REPORT = Difference(DriftClass.REPORT_MISSING, "n1", "its probe has not reported")


def problem(fleet: Fleet, **node_labels: str) -> str:
    """What the probe of n1 is reported to lack."""
    return Probes({}, PROBES).problems({"n1": node_labels})["n1"].text


def state(**container: Any) -> dict[str, Any]:
    return {"phase": "Pending", "containerStatuses": [container]}


def test_a_missing_daemon_set_a_missing_account_and_missing_rights_are_named_and_no_wait_helps(fleet: Fleet) -> None:
    fleet.probe_pod("n1")
    fleet.refused_rights |= {"patch configmaps", "get nodes"}
    found = Probes({}, PROBES).problems({"n1": {}})["n1"]
    assert found.text == (
        "ServiceAccount mig-fleet/mig-probe may not get nodes, patch configmaps: a role or its binding is missing; "
        f"{RESTORE}"
    )
    assert found.is_final
    del fleet.objects[PROBE_ACCOUNT]
    assert problem(fleet) == (
        f"ServiceAccount mig-fleet/mig-probe is missing, so its pods have no valid token; {RESTORE}"
    )
    del fleet.objects[PROBE_DAEMON_SET]
    assert problem(fleet) == f"DaemonSet mig-fleet/mig-probe is missing; {RESTORE}"


def test_a_node_that_the_daemon_set_does_not_select_is_named_with_the_label(fleet: Fleet) -> None:
    fleet.objects[PROBE_DAEMON_SET]["spec"]["template"]["spec"] = {"nodeSelector": {labels.CAPABLE: "true"}}
    assert problem(fleet) == (
        "the node has no label nvidia.com/mig.capable=true, which DaemonSet mig-fleet/mig-probe selects"
    )
    assert "has no pod there" in problem(fleet, **{labels.CAPABLE: "true"})


def a_pod_spec(fleet: Fleet, **spec: Any) -> None:
    """Another user changes the pods of the DaemonSet."""
    fleet.objects[PROBE_DAEMON_SET]["spec"]["template"]["spec"] = {"nodeSelector": {labels.CAPABLE: "true"}, **spec}


def node_affinity(operator: str) -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": "disk", "operator": operator, "values": ["ssd"]}]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def test_a_label_that_we_do_not_select_by_or_an_affinity_is_restored_by_an_update_and_by_no_wait(fleet: Fleet) -> None:
    capable = {labels.CAPABLE: "true"}
    a_pod_spec(fleet, nodeSelector={**capable, "disk": "ssd"})
    found = Probes({}, PROBES).problems({"n1": capable})["n1"]
    assert found == Problem(
        f"the node has no label disk=ssd, which DaemonSet mig-fleet/mig-probe selects; {RESTORE}", True
    )
    a_pod_spec(fleet, affinity=node_affinity("In"))
    found = Probes({}, PROBES).problems({"n1": capable})["n1"]
    assert found == Problem(
        f"DaemonSet mig-fleet/mig-probe has a node affinity that is not ours and excludes the node; {RESTORE}", True
    )
    a_pod_spec(fleet, affinity=node_affinity("NotIn"))
    assert "has no pod there" in problem(fleet, **capable)


def test_the_label_that_we_select_by_may_still_be_written(fleet: Fleet) -> None:
    a_pod_spec(fleet)
    assert not Probes({}, PROBES).problems({"n1": {}})["n1"].is_final


def test_a_daemon_set_that_wants_no_pod_at_all_is_restored_by_an_update(fleet: Fleet) -> None:
    fleet.objects[PROBE_DAEMON_SET] |= {"metadata": {"generation": 2}}
    status = {"desiredNumberScheduled": 0, "observedGeneration": 1}
    fleet.objects[PROBE_DAEMON_SET]["status"] = status
    assert "has no pod there" in problem(fleet), "its controller has not read the change yet"
    status["observedGeneration"] = 2
    found = Probes({}, PROBES).problems({"n1": {}})["n1"]
    assert found == Problem(f"DaemonSet mig-fleet/mig-probe wants no pod on any node; {RESTORE}", True)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            state(state={"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image x"}}),
            "waits: ImagePullBackOff: Back-off pulling image x",
        ),
        (
            state(
                state={"waiting": {"reason": "CrashLoopBackOff"}},
                lastState={"terminated": {"exitCode": 1, "message": "no NVML"}},
            ),
            "crashes: its last run ended with status 1: no NVML",
        ),
        (
            state(state={"running": {}}, lastState={"terminated": {"exitCode": 1, "message": "no NVML"}}),
            "crashes: its last run ended with status 1: no NVML",
        ),
        (state(state={"terminated": {"exitCode": 137}}), "ended with status 137"),
        (
            {
                "phase": "Pending",
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Too many pods"}
                ],
            },
            "is not scheduled: Unschedulable: Too many pods",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, "failed: Evicted: low on memory"),
        ({"phase": "Pending"}, "is Pending"),
        ({"phase": "Running"}, "runs"),
    ],
)
def test_the_state_of_the_pod_is_the_kubelets_and_the_schedulers(
    fleet: Fleet, status: dict[str, Any], text: str
) -> None:
    name = fleet.probe_pod("n1", **status)
    assert problem(fleet) == f"its pod mig-fleet/{name} {text}"


def test_a_pod_that_is_not_scheduled_yet_belongs_to_the_node_of_its_affinity(fleet: Fleet) -> None:
    name = fleet.probe_pod("n1", phase="Pending")
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    fleet.pods[PROBES, name]["spec"] = {"affinity": {"nodeAffinity": required}}
    assert problem(fleet) == f"its pod mig-fleet/{name} is Pending"


def test_the_last_message_of_a_running_probe_is_named_unless_it_is_a_report(fleet: Fleet) -> None:
    name = fleet.probe_pod("n1")
    fleet.logs[name] = "mig-probe: PATCH /api/v1/…/mig-report-n1: answered 403: denied by the admission policy"
    assert problem(fleet).endswith(
        "runs; its last message: PATCH /api/v1/…/mig-report-n1: answered 403: denied by the admission policy"
    )
    fleet.logs[name] = "mig-probe: published config 'x', state 'success', 2 GPUs"
    assert problem(fleet).endswith("runs")


def test_only_the_logs_of_the_first_nodes_are_read(fleet: Fleet) -> None:
    names = [f"node-{number}" for number in range(9)]
    for name in names:
        fleet.logs[fleet.probe_pod(name)] = "mig-probe: an error"
    found = Probes({}, PROBES).problems({name: {} for name in names})
    assert sum("an error" in each.text for each in found.values()) == MOST_LOGS


def test_the_health_is_read_once(fleet: Fleet) -> None:
    probes = Probes({}, PROBES)
    probes.problems({"n1": {}})
    count = len(fleet.requests)
    probes.problems({"n2": {}})
    assert len(fleet.requests) == count == 6


def test_what_may_not_be_read_leaves_the_question_to_the_user(fleet: Fleet) -> None:
    fleet.fail_requests("GET", "/pods$", Forbidden("no right"))
    assert Probes({}, PROBES).problems({"n1": {}}) == {}
    (found,) = with_problems([NO_REPORT], {})
    assert found.text == f"its probe has not reported; {UNKNOWN}"


def test_rights_that_may_not_be_asked_for_count_as_given(fleet: Fleet) -> None:
    fleet.fail_requests("POST", "subjectaccessreviews", Forbidden("no right"), times=3)
    assert read_probe_health(MemoryCluster(fleet), PROBES, []).missing_rights == ()


def test_only_missing_and_stale_reports_are_explained() -> None:
    other = Difference(DriftClass.SLICE_MISSING, "n2", "GPU 0: …")
    assert silent_nodes([NO_REPORT, other]) == ["n1"]
    assert with_problems([other], {}) == [other]
