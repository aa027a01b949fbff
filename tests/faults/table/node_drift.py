"""Drift that a plain preview finds on nodes and their software: the stack did not change, the fleet did."""

from mig_fleet.model import labels
from mig_fleet.observed.operands import DEVICE_PLUGIN, FEATURE_DISCOVERY, MIG_MANAGER
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import NODE_LIST, FaultRun
from tests.faults.scenario import NEW, OLD, RENAMED
from tests.faults.table.manager import apply, fail_after_a_success
from tests.faults.table.nodes import join_node, make_not_ready, make_ready, remove_node
from tests.faults.table.texts import CONDITIONS, KEPT, differs, refused

SHARED = (
    "resource shared: node-1: nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 28 nvidia.com/mig-1g.10gb, as "
    "the device plugin shares each 2 times"
)
PLUGIN_CONFIG = (
    "Look at the device plugin's config, which must not share it (the default, or the node's "
    "nvidia.com/device-plugin.config): kubectl get clusterpolicies.nvidia.com -o yaml"
)
NOT_READY = "node not Ready: node-1: kubelet is not Ready; its slices may be gone"


def replace_node(run: FaultRun) -> None:
    remove_node(run)
    join_node(run)
    run.wait_for_report("node-2", lambda report: report.state == "success")


def annotate(run: FaultRun, node: str, **annotations: str | None) -> None:
    """Change our annotations on a node; ``verified_config`` is ``mig-fleet.dev/verified-config``."""
    changed = {f"mig-fleet.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    run.patch(node, {"metadata": {"annotations": changed}})


def fail_at_start(run: FaultRun) -> None:
    """MIG Manager starts, and finds a GPU without its slices."""
    run.inject(NodeFault.MANAGER_FAILS_ONCE, "node-1")
    run.change_driver("node-1", lambda driver: driver.gpus[0].clear())
    run.scenario.restart(MIG_MANAGER, "node-1")
    run.wait_for_report("node-1", lambda report: report.state == "failed")


def leave_operands_paused(run: FaultRun) -> None:
    fail_after_a_success(run)
    apply(run, NEW.config_name, "failed")
    apply(run, OLD.config_name, "success")


def make_gfd_label_stale(run: FaultRun) -> None:
    deploy = f"{labels.DEPLOY_PREFIX}{FEATURE_DISCOVERY}".removeprefix("nvidia.com/")
    run.label("node-1", **{deploy: "false"})
    run.eventually(
        lambda: not run.scenario.pods(FEATURE_DISCOVERY, "node-1"), "the pod of GPU Feature Discovery is gone"
    )
    run.label("node-1", **{"mig-1g.10gb.count": "13"})
    run.api.when("GET", NODE_LIST, lambda: run.label("node-1", **{deploy: "true"}), skip=3)


def lower_allocatable(run: FaultRun) -> None:
    run.patch("node-1", {"status": {"allocatable": {"nvidia.com/mig-1g.10gb": "13"}}}, status=True)


def share_slices(run: FaultRun) -> None:
    run.inject(NodeFault.PLUGIN_SHARES, "node-1")
    run.scenario.restart(DEVICE_PLUGIN, "node-1")
    run.eventually(lambda: _offered(run) == ("28", "2"), "the slices are shared")


def stop_sharing(run: FaultRun) -> None:
    run.clear_faults("node-1")
    run.scenario.restart(DEVICE_PLUGIN, "node-1")
    run.eventually(lambda: _offered(run) == ("14", "1"), "the slices are not shared")


def _offered(run: FaultRun) -> tuple[str, str]:
    """What the kubelet of node-1 offers, and GFD's number of replicas."""
    node = run.scenario.cluster.node("node-1")
    offered = node["status"]["allocatable"].get("nvidia.com/mig-1g.10gb", "")
    return offered, node["metadata"]["labels"].get("nvidia.com/mig-1g.10gb.replicas", "")


NODE_DRIFT = [
    Fault(
        "a node was removed from the cluster between two updates",
        "an autoscaler or an administrator removed it",
        remove_node,
        Outcome.REFUSED,
        written=(),
        preview=(
            "drift: node missing: node-2: is not in the cluster",
            "drift: node missing: node-2: is not in the cluster",
        ),
        error=refused("node 'node-2' is not in the cluster; check the pool's nodes, or `kubectl get nodes`"),
        fix="a machine of that name joins again",
        apply_fix=join_node,
        target=OLD,
    ),
    Fault(
        "a node was replaced by another one of the same name",
        "a machine was reinstalled: the label, our annotations and the slices are gone",
        replace_node,
        Outcome.SUCCEEDED,
        written=("node-2",),
        preview=(
            "drift: node replaced: node-2: is another node of that name, without our ownership annotations",
            "gpuResets: node-2: MIG mode of GPU 0-1 changes; needs no GPU reset",
            "drift: config changed: node-2: carries config 'all-disabled', expected 'notebooks-255390f5'; written by "
            "gpu-operator",
        ),
        target=OLD,
    ),
    Fault(
        "a node is owned by another wave",
        "an update that moved it to another pool was reverted before it was complete",
        lambda run: annotate(run, "node-1", wave="another-pool-wave-0"),
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=("drift: node taken over: node-1: is owned by wave another-pool-wave-0, expected train-wave-00",),
        target=OLD,
    ),
    Fault(
        "a node was removed from the pool",
        "its name was deleted from the stack file; the next update releases it",
        lambda run: annotate(run, "node-2", wave="train-wave-0", previous_config=RENAMED.config_name),
        Outcome.SUCCEEDED,
        written=("node-2",),
        preview=("drift: node removed from pool: node-2: was removed from the pool and waits for `onDelete: restore`",),
        rollout={"on_delete": "restore"},
        pool_before={"nodes": ["node-1", "node-3"]},
        pool={"nodes": ["node-1", "node-3"]},
        target=OLD,
    ),
    Fault(
        "a node is not recorded as verified",
        "another user removed our annotation",
        lambda run: annotate(run, "node-1", verified_config=None),
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=("drift: verification not recorded: node-1: is as declared, but not recorded as verified",),
        target=OLD,
    ),
    Fault(
        "a node is not Ready between two updates",
        "its container runtime hangs (kubelet: PLEG is not healthy)",
        make_not_ready,
        Outcome.FAILED,
        written=(),
        preview=(f"drift: {NOT_READY}",),
        error=differs(NOT_READY, see=(CONDITIONS,), then=KEPT),
        fix="the node is Ready again",
        apply_fix=make_ready,
        target=OLD,
    ),
    Fault(
        "a node without MIG Manager's state label",
        "an update was killed between the two writes of a remedy: the state was removed, MIG Manager was not restarted",
        lambda run: run.label("node-1", **{"mig.config.state": None}),
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=("drift: not reconciled: node-1: MIG Manager's state is not set",),
        remedies=("node-1: restarted MIG Manager (not reconciled)",),
        target=OLD,
    ),
    Fault(
        "MIG Manager failed between two updates",
        "its pod restarted before the driver's libraries were installed (gpu-operator#2874)",
        fail_at_start,
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=(
            "drift: MIG Manager failed: node-1: could not apply 'notebooks-255390f5'",
            "unfinishedNodes: node-1: config notebooks-255390f5, state 'failed', not isolated",
            "unfinishedNodes: node-1: NVML still shows GPU 0: no slices; GPU 1: 7x 1g.10gb",
            "unfinishedNodes: node-1: the next update restarts MIG Manager there and verifies it",
        ),
        remedies=("node-1: restarted MIG Manager (MIG Manager failed)",),
        apply_fix=lambda run: run.clear_faults("node-1"),
        target=OLD,
    ),
    Fault(
        "MIG Manager reports success and leaves the operands paused",
        "another user's change failed, and the old config, written again, was still applied: the node offers no GPU "
        "(mig-parted v0.15.0 reconfigure.go, measured)",
        leave_operands_paused,
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=(
            "drift: operands paused: node-1: MIG Manager's state is 'success', and client, dcgm, dcgm-exporter, "
            "device-plugin, gpu-feature-discovery, nvsm are still paused",
        ),
        remedies=("node-1: restored the paused operands (operands paused)",),
        apply_fix=lambda run: run.clear_faults("node-1"),
        target=OLD,
    ),
    Fault(
        "the kubelet offers too few slices",
        "the device plugin reports one as unhealthy; it reads the GPUs again when it restarts (k8s-device-plugin#214)",
        lower_allocatable,
        Outcome.SUCCEEDED,
        written=(),
        preview=("drift: allocatable stale: node-1: nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 13",),
        remedies=("node-1: restarted the device plugin (allocatable stale)",),
        target=OLD,
    ),
    Fault(
        "another user lets the device plugin share the slices of a node",
        "its config has time-slicing: the kubelet offers each slice twice (gpu-operator#1287)",
        share_slices,
        Outcome.FAILED,
        written=(),
        preview=(f"drift: {SHARED}",),
        error=differs(SHARED, see=(PLUGIN_CONFIG,), then=KEPT),
        fix="the node's slices are not shared any more",
        apply_fix=stop_sharing,
        target=OLD,
    ),
    Fault(
        "a label of GPU Feature Discovery is wrong",
        "its pod did not run while a slice was missing; the update waits until the pod is back",
        make_gfd_label_stale,
        Outcome.SUCCEEDED,
        written=(),
        preview=("drift: GFD labels stale: node-1: nvidia.com/mig-1g.10gb.count: expected '14', found '13'",),
        target=OLD,
    ),
]
