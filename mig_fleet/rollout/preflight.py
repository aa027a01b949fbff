"""Every reason against a change, for all nodes together, before anything is changed."""

from collections.abc import Iterable

from mig_fleet.cluster.client import NodeMissing
from mig_fleet.cluster.connection import Json
from mig_fleet.model import gpus, labels
from mig_fleet.model.errors import MigError
from mig_fleet.model.report import Gpu, pending_reset
from mig_fleet.observed.differences import malformed_node
from mig_fleet.observed.gpus.affected import AffectedGpus
from mig_fleet.observed.gpus.pod_gpus import AffectedPod, format_affected
from mig_fleet.observed.gpus.pods import GpuPod, gpu_pods
from mig_fleet.observed.operands import MIG_MANAGER, operand_pods
from mig_fleet.observed.scheduling import is_tolerated
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.rollout.affected import Affected, pods_on_affected_gpus
from mig_fleet.rollout.board_names import unknown_names
from mig_fleet.rollout.isolation import isolating_taint
from mig_fleet.rollout.wave import Wave


def problems(wave: Wave, seen: Snapshot, pods: Iterable[Json], affected: Affected) -> list[str]:
    """One sentence for everything that blocks the change of the nodes in ``affected``; empty if they may be changed."""
    pods = list(pods)
    managers = operand_pods(pods, wave.namespace, MIG_MANAGER)
    losing = pods_on_affected_gpus(seen, gpu_pods(pods, wave.namespace), affected)
    found = []
    for name in sorted(affected):
        node = seen.nodes.get(name)
        if node is None:
            found.append(str(NodeMissing(name)))
        else:
            found += hardware_problems(wave, node)
            found += _without_manager(wave, node) if name not in managers else []
            found += in_use(wave, name, losing.get(name, []), affected[name])
    return found


def in_use(wave: Wave, node: str, losing: Iterable[AffectedPod], affected: AffectedGpus) -> list[str]:
    """Pods on affected GPUs that cannot or must not be moved; one that `wait` or `evict` can move is not a problem."""
    losing = list(losing)
    scope = f"; the whole node counts: {affected.whole_node}" if affected.whole_node else ""
    if wave.on_user_pods == "refuse" and losing:
        pods = f"{format_affected(losing)}{scope}"
        return [f"node '{node}' is in use: {pods}; move them away, or choose onUserPods: wait or evict"]
    alike: dict[tuple[str, str], list[AffectedPod]] = {}
    for it in losing:
        if not it.pod.terminating and (reason := _why_it_stays(wave, it.pod)):
            alike.setdefault(reason, []).append(it)
    return [
        f"node '{node}' is in use by {why}: {format_affected(pods)}{scope}; {remedy}"
        for (why, remedy), pods in alike.items()
    ]


def _why_it_stays(wave: Wave, pod: GpuPod) -> tuple[str, str] | None:
    """Why neither `wait` nor `evict` moves the pod off its node, and what does."""
    evicts, taint = wave.on_user_pods == "evict", isolating_taint(wave.isolation)
    if pod.is_static:
        return (
            "static pods, which the kubelet starts again at once",
            "move their manifests out of the kubelet's folder of static pods on the node, and back after the update",
        )
    if pod.is_of_daemon_set:
        return (
            "pods of a DaemonSet, which would create them again at once",
            "keep that DaemonSet off the node, for example with its nodeSelector",
        )
    if not pod.owner and evicts:
        return "pods that no controller would create again", "delete them yourself, or choose onUserPods: wait"
    ends = not evicts and (pod.is_of_job or not pod.owner)
    if is_tolerated(taint, pod.tolerations) and not ends:
        return (
            f"pods that tolerate {taint.key}:{taint.effect}, so that new ones may start there at once",
            "remove that toleration from their controller, or scale it to 0 until the update is done",
        )
    return None


def hardware_problems(wave: Wave, node: Node) -> list[str]:
    """Why the node cannot be changed, whatever runs on it."""
    if node.malformed:
        return [f"node '{node.name}': {malformed_node(node).text}"]
    if not node.ready:
        return [f"node '{node.name}' is not Ready; no pod can be started or stopped there"]
    if node.labels.get(labels.CAPABLE) != "true":
        text = f"node '{node.name}' is not MIG-capable: label {labels.CAPABLE} is {_label(node, labels.CAPABLE)}"
        return [f"{text}; is GPU Feature Discovery running there?{_startup_taint(wave, node)}"]
    if node.state == "rebooting":
        return [f"node '{node.name}' is rebooting for a change of its MIG mode; run the update again when it is back"]
    return [*_gpus(wave, node), *_pending_mode(node)]


def _startup_taint(wave: Wave, node: Node) -> str:
    """What must tolerate the taint with which a new node starts; the chart has other defaults than our values."""
    if labels.STARTUP_TAINT not in node.taints or labels.CAPABLE in node.labels:
        return ""
    toleration = f"{{key: {labels.STARTUP_TAINT}, operator: Exists, effect: NoSchedule}}"
    if wave.operator_managed:
        remedy = f"a Node Feature Discovery of your own must tolerate it: add {toleration} to its worker.tolerations"
    else:
        remedy = (
            "the operator's pods and the worker of Node Feature Discovery must tolerate it: its owner adds "
            f"{toleration} to the chart values daemonsets.tolerations and node-feature-discovery.worker.tolerations, "
            "beside what these lists have"
        )
    return f" The node has the taint {labels.STARTUP_TAINT}; {remedy}"


def _gpus(wave: Wave, node: Node) -> list[str]:
    """By the probe's report, or else GFD's label; a product that is not in the catalog proves nothing."""
    if not wave.expected.gpu:
        return []
    expected, expected_count = gpus.find(wave.expected.gpu).name, len(wave.expected.gpus)
    others = sorted({model for model in _models(node) if model not in (None, expected)}, key=str)
    found = [f"node '{node.name}' has {model} GPUs, its pool is for {expected}" for model in others]
    kinds = node.report.kinds if node.report else ()
    if not found and len(kinds) > 1:
        return [f"node '{node.name}' has several kinds of GPU, {', '.join(kinds)}; a pool is for nodes with one kind"]
    count = len(node.report.gpus) if node.report and not node.report.errors else expected_count
    if count != expected_count:
        has = "1 GPU" if count == 1 else f"{count} GPUs"
        found.append(f"node '{node.name}' has {has}, its pool has gpusPerNode: {expected_count}")
    return found or unknown_names(wave, node)


def _models(node: Node) -> list[str | None]:
    if node.report is not None and node.report.gpus:
        return [_model(gpu) for gpu in node.report.gpus]
    try:
        return [gpus.find(node.labels.get(labels.PRODUCT, "")).name]
    except MigError:
        return [None]


def _model(gpu: Gpu) -> str | None:
    """The GPU's model; its product name if it shares the device id of another model; None for an unknown chip."""
    model = gpus.by_board(gpu.pci_id, gpu.product)
    return model.name if model else gpu.product if gpus.by_pci(gpu.pci_id) else None


def _label(node: Node, key: str) -> str:
    return repr(node.labels[key]) if key in node.labels else "not set"


def _pending_mode(node: Node) -> list[str]:
    text = pending_reset(node.report) if node.report else ""
    return [f"node '{node.name}': {text}, then run the update again"] if text else []


def _without_manager(wave: Wave, node: Node) -> list[str]:
    deploy = f"{labels.DEPLOY_PREFIX}mig-manager"
    why = "" if node.labels.get(deploy) == "true" else f" (label {deploy} is {_label(node, deploy)}, not 'true')"
    return [
        f"node '{node.name}' has no MIG Manager pod{why}; see `kubectl -n {wave.namespace} get daemonset {MIG_MANAGER}`"
    ]
