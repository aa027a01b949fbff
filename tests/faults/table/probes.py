"""Probes that do not say what NVML has."""

from datetime import UTC, datetime, timedelta
from functools import partial

from mig_fleet.observed.snapshot import Look
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome
from tests.faults.ground import FIRST, GPUS, OLD
from tests.faults.installed import REPORTS
from tests.faults.stage import LABEL, Stage
from tests.faults.stage import REPORTS as LIST_OF_REPORTS
from tests.faults.table.wording import KEPT, MANAGER_STARTED_OVER, PROBES_LOG, differs

MISSING = "report missing: node-1: its probe has not reported; is the pod of DaemonSet mig-probe running there?"
LOST = "; ".join(
    f"GPU {gpu}: nvmlDeviceGetHandleByIndex: GPU is lost (a GPU fell off the bus; look at the kernel log for XID 79)"
    for gpu in range(GPUS)
)
STALE = "report stale: node-1: its probe has been silent for more than 5 minutes"
REPORT = f"/api/v1/namespaces/{REPORTS}/configmaps/mig-report-node-1"


def silenced(stage: Stage) -> None:
    """The probe ends with the old report in place."""
    stage.inject(NodeFault.PROBE_DEAD, "node-1")
    stage.ground.end_probe("node-1")


def vanished(stage: Stage) -> None:
    silenced(stage)
    stage.fleet.call("delete", REPORT)


def fell_silent(stage: Stage) -> None:
    """The probe ends, and the API server's stamps say that it was twenty minutes ago. A write of stamps alone is
    dropped (apimachinery, IgnoreManagedFieldsTimestampsTransformer), hence the annotation.
    """
    silenced(stage)
    long_ago = (datetime.now(UTC) - timedelta(minutes=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries = stage.fleet.call("get", REPORT)["metadata"]["managedFields"]
    aged = {"managedFields": [{**entry, "time": long_ago} for entry in entries], "annotations": {"aged": long_ago}}
    stage.fleet.call("patch", REPORT, {"metadata": aged})


def fell_off_the_bus(stage: Stage) -> None:
    """From now on the product looks when the probe has told what became of an attempt."""
    stage.inject(NodeFault.PROBE_NVML_ERROR, "node-1")
    told = partial(stage.ground.eventually, told_of_failure, "the probe of node-1 tells of the failure")
    stage.api.when("GET", LIST_OF_REPORTS, told, times=None)


def told_of_failure(seen: Look) -> bool:
    node = seen.nodes["node-1"]
    report = node.report
    return report is not None and (report.state, report.attempt) == ("failed", node.attempt)


def probe_runs(stage: Stage) -> None:
    """What crashes is started again later and later; a new pod begins anew."""
    stage.heal("node-1")
    stage.ground.end_probe("node-1")


PROBES = [
    Fault(
        "a report that never comes",
        "the probe's image cannot be pulled, or its pod crashes",
        vanished,
        Outcome.FAILED,
        touched=(),
        previews=(f"drift: {MISSING}",),
        reads=differs(MISSING, see=(PROBES_LOG,), then=KEPT),
        cure="the probe runs",
        end=probe_runs,
        target=OLD,
    ),
    Fault(
        "a report from before the change",
        "the probe died in the middle: what it said last was true of another layout",
        silenced,
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=differs("report missing: node-1: its probe has not reported since the last change", see=(PROBES_LOG,)),
        cure="the probe runs",
        end=probe_runs,
    ),
    Fault(
        "a probe that fell silent long ago",
        "the probe's pod was deleted with its DaemonSet paused: nobody renews the report",
        fell_silent,
        Outcome.FAILED,
        touched=(),
        previews=(f"drift: {STALE}",),
        reads=differs(STALE, see=(PROBES_LOG,), then=KEPT),
        cure="the probe runs",
        end=probe_runs,
        target=OLD,
    ),
    Fault(
        "NVML answers with an error",
        "XID 79: the GPU fell off the bus after the label was written (NVIDIA XID catalog)",
        lambda stage: stage.at(LABEL, "node-1", lambda: fell_off_the_bus(stage)),
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=differs(
            f"MIG Manager failed: node-1: could not apply 'training-ea45f71e'; NVML says: {LOST}", MANAGER_STARTED_OVER
        ),
        cure="the node is rebooted",
        end=probe_runs,
    ),
]
