"""Probes that do not say what NVML has."""

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
