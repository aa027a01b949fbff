"""Probes that do not say what NVML has."""

from datetime import UTC, datetime, timedelta

from simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome
from tests.faults.ground import FIRST, REPORTS
from tests.faults.stage import LABEL, Stage

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


def probe_runs(stage: Stage) -> None:
    """What crashes is started again later and later; a new pod begins anew."""
    stage.heal("node-1")
    stage.ground.end_probe("node-1")


PROBES = [
    Fault(
        "a report that never comes",
        "the probe's image cannot be pulled, or its pod crashes",
        vanished,
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=("report missing: node-1: its probe has not reported; is the pod of DaemonSet mig-probe running there?",),
        cure="the probe runs",
        end=probe_runs,
    ),
    Fault(
        "a report from before the change",
        "the probe died in the middle: what it said last was true of another layout",
        silenced,
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=("report missing: node-1: its probe has not reported since the last change",),
        cure="the probe runs",
        end=probe_runs,
    ),
    Fault(
        "a probe that fell silent long ago",
        "the probe's pod was deleted with its DaemonSet paused: nobody renews the report",
        fell_silent,
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=("report stale: node-1: its probe has been silent for more than 15 minutes",),
        cure="the probe runs",
        end=probe_runs,
    ),
    Fault(
        "NVML answers with an error",
        "XID 79: the GPU fell off the bus after the label was written (NVIDIA XID catalog)",
        lambda stage: stage.at(LABEL, "node-1", lambda: stage.inject(NodeFault.PROBE_NVML_ERROR, "node-1")),
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=("node-1",),
        cure="the node is rebooted",
        end=probe_runs,
    ),
]
