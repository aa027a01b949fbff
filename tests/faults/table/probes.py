"""Probes that do not report, or cannot read NVML."""

from datetime import UTC, datetime, timedelta

from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Snapshot
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import LABEL, REPORT_LIST, FaultRun
from tests.faults.installation import REPORTS, collection, probe_objects
from tests.faults.scenario import FIRST_WAVE, GPUS, OLD, POOL
from tests.faults.table.texts import (
    KEPT,
    KERNEL_LOG,
    LAST_OLD,
    MANAGER_RESTARTED,
    PROBE_LOG,
    differs,
    nodes_differ,
    still_isolated,
)

CRASHES = "its pod mig-fleet/mig-probe-x2x7k crashes: its last run ended with status 1: exit status 1"
MISSING = f"report missing: node-1: its probe has not reported; {CRASHES}"
NO_RIGHTS = (
    "its probe has not reported since the last change; ServiceAccount mig-fleet/mig-probe may not get nodes: a role or "
    "its binding is missing; run `pulumi up`, which restores it"
)
LOST = "; ".join(
    f"GPU {gpu}: nvmlDeviceGetHandleByIndex: GPU is lost (a GPU fell off the bus; look at the kernel log for XID 79)"
    for gpu in range(GPUS)
)
STALE = f"report stale: node-1: its probe has not reported for 5 minutes; {CRASHES}"
CLUSTER_ROLE = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{labels.PROBE}"
DAEMON_SET = f"/apis/apps/v1/namespaces/{REPORTS}/daemonsets/{labels.PROBE}"
PROBE_IMAGE, OTHER_IMAGE = "python@sha256:" + 64 * "0", "registry.example/python:3.13"
REPORT = f"/api/v1/namespaces/{REPORTS}/configmaps/mig-report-node-1"


def delete_role_and_change_image(run: FaultRun) -> None:
    run.fleet.call("delete", CLUSTER_ROLE)
    containers = run.fleet.call("get", DAEMON_SET)["spec"]["template"]["spec"]["containers"]
    changed = [{**container, "image": OTHER_IMAGE} for container in containers]
    run.fleet.call("patch", DAEMON_SET, {"spec": {"template": {"spec": {"containers": changed}}}})


def restore_rights(run: FaultRun) -> None:
    """After a failure a probe waits longer and longer before it tries again; a new pod tries at once."""
    role = next(body for body in probe_objects() if body["kind"] == "ClusterRole")
    run.fleet.call("create", collection(role), role)
    start_probes_again(run, *POOL)


def start_probes_again(run: FaultRun, *nodes: str) -> None:
    """New pods of these probes, which have reported: a busy machine takes longer to start them than an update waits."""
    for node in nodes:
        run.scenario.delete_probe(node)

    def have_reported(seen: Snapshot) -> bool:
        found = [(seen.nodes[node].report, seen.nodes[node].attempt) for node in nodes]
        return all(report and not report.errors and report.attempt == attempt for report, attempt in found)

    run.scenario.eventually(have_reported, f"the new probes have reported: {', '.join(nodes)}")


def stop_probe(run: FaultRun) -> None:
    """The probe ends; its last report stays. Its new pod has crashed at least once."""
    run.inject(NodeFault.PROBE_DEAD, "node-1")
    run.scenario.delete_probe("node-1")
    run.eventually(lambda: run.scenario.probe_has_crashed("node-1"), "the new pod of the probe has crashed")


def stop_probe_and_delete_report(run: FaultRun) -> None:
    stop_probe(run)
    run.fleet.call("delete", REPORT)


def stop_probe_twenty_minutes_ago(run: FaultRun) -> None:
    """The probe ends, and the API server's time stamps of its report are twenty minutes old.

    The API server ignores a write that changes only time stamps (apimachinery,
    IgnoreManagedFieldsTimestampsTransformer), hence the annotation.
    """
    stop_probe(run)
    long_ago = (datetime.now(UTC) - timedelta(minutes=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries = run.fleet.call("get", REPORT)["metadata"]["managedFields"]
    aged = {"managedFields": [{**entry, "time": long_ago} for entry in entries], "annotations": {"aged": long_ago}}
    run.fleet.call("patch", REPORT, {"metadata": aged})


def lose_gpus(run: FaultRun) -> None:
    """From now on a snapshot waits until the probe has reported the result of the last attempt."""

    def wait_for_failure() -> None:
        run.scenario.eventually(_reports_failure, "the probe of node-1 reports the failure")

    run.inject(NodeFault.PROBE_NVML_ERROR, "node-1")
    run.api.when("GET", REPORT_LIST, wait_for_failure, times=None)


def _reports_failure(seen: Snapshot) -> bool:
    node = seen.nodes["node-1"]
    report = node.report
    return report is not None and (report.state, report.attempt) == ("failed", node.attempt)


def restart_probe(run: FaultRun) -> None:
    """The pause before a crashed container restarts grows; a new pod starts at once."""
    run.clear_faults("node-1")
    start_probes_again(run, "node-1")


PROBES = [
    Fault(
        "a node without a report",
        "the probe's image cannot be pulled, or its pod crashes",
        stop_probe_and_delete_report,
        Outcome.FAILED,
        written=(),
        preview=(f"drift: {MISSING}",),
        error=differs(MISSING, see=(PROBE_LOG,), then=KEPT),
        fix="the probe runs",
        apply_fix=restart_probe,
        target=OLD,
    ),
    Fault(
        "a report from before the change",
        "the probe crashed during the change: its last report was true for the layout before",
        stop_probe,
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=differs(
            f"report missing: node-1: its probe has not reported since the last change; {CRASHES}",
            see=(PROBE_LOG,),
            then=still_isolated(LAST_OLD),
        ),
        fix="the probe runs",
        apply_fix=restart_probe,
    ),
    Fault(
        "the probes lose their rights during the change",
        "another user deletes the ClusterRole of the probes, or another stack's `destroy` takes it along",
        lambda run: run.before_write(LABEL, "node-1", lambda: run.fleet.call("delete", CLUSTER_ROLE)),
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=(
            *nodes_differ(2, *(f"report missing: {node}: {NO_RIGHTS}" for node in FIRST_WAVE), see=(PROBE_LOG,)),
            still_isolated(LAST_OLD, LAST_OLD),
        ),
        fix="the ClusterRole is created again; `pulumi up` does it in a stack that watches its objects",
        apply_fix=restore_rights,
    ),
    Fault(
        "the probes' objects are deleted or changed",
        "another user deletes the ClusterRole of the probes, and edits their DaemonSet",
        delete_role_and_change_image,
        Outcome.SUCCEEDED,
        written=(),
        preview=(
            "drift: object missing: ClusterRole mig-probe",
            "drift: object changed: DaemonSet mig-fleet/mig-probe: spec.template.spec.containers[probe].image is "
            f"'{OTHER_IMAGE}', expected '{PROBE_IMAGE}'",
        ),
        target=OLD,
        pool={"watched": True},
        pool_before={"watched": True},
    ),
    Fault(
        "a report that is twenty minutes old",
        "the probe's pod was deleted while its DaemonSet was paused, so the report is not renewed",
        stop_probe_twenty_minutes_ago,
        Outcome.FAILED,
        written=(),
        preview=(f"drift: {STALE}",),
        error=differs(STALE, see=(PROBE_LOG,), then=KEPT),
        fix="the probe runs",
        apply_fix=restart_probe,
        target=OLD,
    ),
    Fault(
        "NVML returns an error during the change",
        "XID 79: the GPU fell off the bus after the label was written (NVIDIA XID catalog)",
        lambda run: run.before_write(LABEL, "node-1", lambda: lose_gpus(run)),
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=differs(
            f"MIG Manager failed: node-1: could not apply 'training-ea45f71e'; NVML reports: {LOST}",
            MANAGER_RESTARTED,
            see=(KERNEL_LOG,),
            then=still_isolated(f"NVML reports: {LOST}"),
        ),
        fix="the node is rebooted",
        apply_fix=restart_probe,
    ),
]
