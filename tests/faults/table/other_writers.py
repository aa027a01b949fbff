"""Other users and other tools that write to the same nodes and to the layout file."""

from mig_fleet.model import labels, parted
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import ISOLATE, LABEL, FaultRun
from tests.faults.installation import layout_file
from tests.faults.scenario import FILE, FIRST_WAVE, LAYOUTS, NEW, OLD, POOL
from tests.faults.table.texts import LABEL_WRITERS, LAST_OLD, SCHEDULING_RESTORED, nodes_differ, still_isolated
from tests.simulator.site import NAMESPACE

CONFIG_MAP = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{labels.LAYOUTS_CONFIG_MAP}"
NEW_CONFIGS = sorted({layout.config_name for layout in LAYOUTS} - {OLD.config_name})
EDITED_FILE = FILE.replace('"1g.10gb": 7', '"1g.10gb": 6', 1)


def disable(run: FaultRun, node: str) -> None:
    body = {"metadata": {"labels": {labels.CONFIG: labels.ALL_DISABLED}}}
    run.fleet.call("patch", f"/api/v1/nodes/{node}", body, "kubectl-label")


def disable_during_change(run: FaultRun) -> None:
    def disable_both() -> None:
        for node in FIRST_WAVE:
            disable(run, node)

    run.inject(NodeFault.MANAGER_SLOW, *FIRST_WAVE)
    run.after_write(LABEL, "node-1", disable_both)


def disable_between_updates(run: FaultRun) -> None:
    disable(run, "node-1")
    run.scenario.site.wait_for_success("node-1", labels.ALL_DISABLED)
    run.wait_for_report("node-1", lambda report: report.config == labels.ALL_DISABLED and report.state == "success")


def remove_our_taints(run: FaultRun) -> None:
    for node in FIRST_WAVE:
        run.patch(node, {"spec": {"taints": None}})


def add_our_taint(run: FaultRun) -> None:
    taint = {"key": labels.TAINT, "value": "train-wave-00", "effect": "NoSchedule"}
    run.patch("node-1", {"spec": {"taints": [taint]}})


def write_layout_file(run: FaultRun, text: str) -> None:
    run.fleet.call("patch", CONFIG_MAP, layout_file(text))


def revert_layout_file(run: FaultRun) -> None:
    write_layout_file(run, parted.dump([OLD]))
    run.wait_until_not_mounted(NEW)


def delay_layout_file(run: FaultRun) -> None:
    revert_layout_file(run)
    run.inject(NodeFault.CONFIG_MAP_LATE, *FIRST_WAVE)


OTHER_WRITERS = [
    Fault(
        "another user relabels a node during the change",
        "an administrator or another tool sets nvidia.com/mig.config",
        disable_during_change,
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=(
            *nodes_differ(
                2,
                "config changed: node-1: carries config 'all-disabled', expected 'training-ea45f71e'; written by "
                "kubectl-label",
                "config changed: node-2: carries config 'all-disabled', expected 'training-ea45f71e'; written by "
                "kubectl-label",
                see=(LABEL_WRITERS,),
            ),
            still_isolated(LAST_OLD, LAST_OLD, "all-disabled"),
        ),
        apply_fix=lambda run: run.clear_faults(*FIRST_WAVE),
    ),
    Fault(
        "another user relabels a node between two updates",
        "the same, while no update runs",
        disable_between_updates,
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=(
            "drift: config changed: node-1: carries config 'all-disabled', expected 'notebooks-255390f5'; written by "
            "kubectl-label",
            "gpuResets: node-1: MIG mode of GPU 0-1 changes; needs no GPU reset",
            "drift: config changed: node-1: carries config 'all-disabled', expected 'notebooks-255390f5'; written by "
            "kubectl-label",
        ),
        target=OLD,
    ),
    Fault(
        "another user removes our taint during the change",
        "`kubectl taint nodes node-1 node-2 mig-fleet.dev/reconfiguring-` while the wave is being changed",
        lambda run: run.before_write(LABEL, "node-1", lambda: remove_our_taints(run)),
        Outcome.SUCCEEDED,
        written=POOL,
    ),
    Fault(
        "a node is still isolated after an earlier update",
        "a user ended that update before it restored scheduling",
        add_our_taint,
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=("drift: still isolated: node-1: is as declared, but still isolated: new pods are kept off",),
        target=OLD,
    ),
    Fault(
        "another user edits the layout file",
        "`kubectl edit configmap mig-fleet-layouts`; it would take effect at the next restart of MIG Manager",
        lambda run: write_layout_file(run, EDITED_FILE),
        Outcome.SUCCEEDED,
        written=(),
        preview=("drift: ConfigMap edited: config 'notebooks-255390f5' differs",),
        target=OLD,
    ),
    Fault(
        "another user deletes the layout file",
        "`kubectl delete configmap mig-fleet-layouts`",
        lambda run: run.fleet.call("delete", CONFIG_MAP),
        Outcome.SUCCEEDED,
        written=(),
        preview=("drift: ConfigMap missing: mig-fleet-layouts is missing, or is not a mig-parted file",),
        target=OLD,
    ),
    Fault(
        "the config is not in the layout file",
        "another tool restored its own file right after we wrote ours (gpu-operator#384: operator-owned names)",
        lambda run: run.before_write(ISOLATE, "node-1", lambda: revert_layout_file(run)),
        Outcome.REFUSED,
        written=FIRST_WAVE,
        error=(
            "no node was relabelled: MIG Manager on node-1, node-2 does not see config 'training-ea45f71e' in its "
            "layout file after N s; does ConfigMap mig-fleet-layouts hold it, and does the operator mount it?",
            SCHEDULING_RESTORED,
        ),
        fix="the other tool is stopped",
    ),
    Fault(
        "the layout file reaches the nodes late",
        "a kubelet projects a changed ConfigMap after a minute or more; a label that arrives earlier ends in failed "
        "(gpu-operator#891)",
        delay_layout_file,
        Outcome.SUCCEEDED,
        written=POOL,
        preview=tuple(f"drift: ConfigMap edited: config '{name}' is missing" for name in NEW_CONFIGS),
        apply_fix=lambda run: run.clear_faults(*FIRST_WAVE),
    ),
]
