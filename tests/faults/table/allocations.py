"""The kubelet's answer to the probe is wrong or missing, and GPU 1 of each node changes."""

import time

from mig_fleet.model.report import Report
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import FaultRun
from tests.faults.scenario import ONE_GPU, POOL
from tests.faults.table.texts import POD_WITHOUT_OWNER, refused

SLICE = "nvidia.com/mig-1g.10gb"
NO_DEVICE = "GPU not known: the kubelet reports a device that NVML does not have"
NO_ANSWER = (
    "GPU not known: the probe does not report which pod has which GPU: the kubelet did not answer on "
    "/var/lib/kubelet/pod-resources/kubelet.sock: no answer within N s"
)


def is_on_gpu_0(report: Report) -> bool:
    """The update leaves GPU 0 as it is."""
    return [it.gpu for it in report.allocations or ()] == [0]


def run_pod(run: FaultRun) -> None:
    """A pod on node-1 with a slice of GPU 0. A report counts for it if it is from a later second."""
    run.run_pod("node-1")
    run.wait_for_report("node-1", is_on_gpu_0)
    time.sleep(1)


def run_pod_and_list_one_that_is_gone(run: FaultRun) -> None:
    """The kubelet also lists a pod that had the other slices of node-1."""
    run_pod(run)
    run.inject(NodeFault.POD_RESOURCES_GONE_PODS, "node-1")
    run.fleet.run_pod("node-1", {SLICE: 13}, name="finished", namespace="team-a")
    run.fleet.user_pods.clear("team-a")
    run.wait_for_report("node-1", lambda report: len(report.allocations or ()) == 14)


def run_pod_on_unknown_device(run: FaultRun) -> None:
    run_pod(run)
    run.inject(NodeFault.POD_RESOURCES_STALE, "node-1")
    run.wait_for_report("node-1", lambda report: [it.gpu for it in report.allocations or ()] == [None])


def run_pod_and_do_not_answer(run: FaultRun) -> None:
    run_pod(run)
    run.inject(NodeFault.POD_RESOURCES_SILENT, "node-1")
    run.wait_for_report("node-1", lambda report: report.allocations is None)


def answer_again(run: FaultRun) -> None:
    run.clear_faults("node-1")
    run.wait_for_report("node-1", is_on_gpu_0)


ALLOCATIONS = [
    Fault(
        "the kubelet lists a pod that is gone",
        "before Kubernetes 1.34 the kubelet lists pods that have ended (kubernetes#119423, kubernetes#132020)",
        run_pod_and_list_one_that_is_gone,
        Outcome.SUCCEEDED,
        written=POOL,
        target=ONE_GPU,
    ),
    Fault(
        "the kubelet lists a device that does not exist",
        "a slice was created again with a new UUID, and the kubelet lists the one from the pod's start",
        run_pod_on_unknown_device,
        Outcome.REFUSED,
        written=(),
        preview=(f"podsLosingSlices: node-1: {POD_WITHOUT_OWNER} ({NO_DEVICE})",),
        error=refused(
            f"node 'node-1' is in use: {POD_WITHOUT_OWNER} ({NO_DEVICE}); move them away, or choose onUserPods: wait "
            "or evict"
        ),
        fix="the kubelet lists the device that the pod has",
        apply_fix=answer_again,
        target=ONE_GPU,
    ),
    Fault(
        "the kubelet does not answer the probe",
        "it hangs, or it is older than its PodResources API",
        run_pod_and_do_not_answer,
        Outcome.REFUSED,
        written=(),
        preview=(f"podsLosingSlices: node-1: {POD_WITHOUT_OWNER} ({NO_ANSWER})",),
        error=refused(
            f"node 'node-1' is in use: {POD_WITHOUT_OWNER} ({NO_ANSWER}); move them away, or choose onUserPods: wait "
            "or evict"
        ),
        fix="the kubelet answers",
        apply_fix=answer_again,
        target=ONE_GPU,
    ),
]
