"""Before anything is touched: why a node cannot be cut anew now, every reason of every node at once."""

from collections.abc import Iterable, Mapping

from mig_fleet.cluster.client import NodeMissing
from mig_fleet.cluster.connection import Json
from mig_fleet.model import gpus, labels
from mig_fleet.model.errors import MigError
from mig_fleet.observed.gpu_pods import Holder, holders
from mig_fleet.observed.snapshot import Look, Node
from mig_fleet.rollout.context import Order

MANAGER_APP = "nvidia-mig-manager"
"""Label ``app`` of MIG Manager's pods (gpu-operator v26.7.0)."""

OF_A_SLICE = "-MIG-"
"""Under strategy single GFD's product label names the slice, ``NVIDIA-H100-80GB-HBM3-MIG-1g.10gb``."""

SHOWN_PODS = 5


def problems(order: Order, seen: Look, pods: Iterable[Json], nodes: Iterable[str]) -> list[str]:
    """A sentence for everything that stands in the way; empty when the nodes may be changed."""
    pods = list(pods)
    managed = manager_pods(pods, order.namespace)
    held = by_node(holders(pods, order.namespace))
    found = []
    for name in sorted(nodes):
        node = seen.nodes.get(name)
        if node is None:
            found.append(str(NodeMissing(name)))
        else:
            found += _hardware(order, node)
            found += _manager(order, node, managed.get(name))
            found += in_use(order, name, held.get(name, []))
    return found


def manager_pods(pods: Iterable[Json], namespace: str) -> dict[str, Json]:
    """Node → its MIG Manager's pod, those that are on their way out not counted."""
    return {
        pod["spec"]["nodeName"]: pod
        for pod in pods
        if pod["metadata"]["namespace"] == namespace
        and (pod["metadata"].get("labels") or {}).get("app") == MANAGER_APP
        and pod["spec"].get("nodeName")
        and "deletionTimestamp" not in pod["metadata"]
    }


def by_node(found: Iterable[Holder]) -> dict[str, list[Holder]]:
    """Holders that were given a node, by its name."""
    nodes: dict[str, list[Holder]] = {}
    for holder in found:
        if holder.node:
            nodes.setdefault(holder.node, []).append(holder)
    return nodes


def named(found: Iterable[Holder]) -> str:
    """The first few in words, and how many more there are."""
    texts = [str(holder) for holder in found]
    more = len(texts) - SHOWN_PODS
    return "; ".join(texts[:SHOWN_PODS]) + (f"; and {more} more" if more > 0 else "")


def _hardware(order: Order, node: Node) -> list[str]:
    if not node.ready:
        return [f"node '{node.name}' is not Ready; nothing can be started or ended there"]
    if node.labels.get(labels.CAPABLE) != "true":
        return [
            f"node '{node.name}' is not MIG-capable: label {labels.CAPABLE} is {_label(node, labels.CAPABLE)}; is GPU "
            "Feature Discovery running there?"
        ]
    if node.state == "rebooting":
        return [f"node '{node.name}' is rebooting for a change of its MIG mode; run the update again when it is back"]
    return [*_model(order, node), *_pending_mode(node)]


def _model(order: Order, node: Node) -> list[str]:
    """The probe's word where there is one, GFD's label else; a product that no catalog entry has proves nothing."""
    if not order.gpu:
        return []
    expected = gpus.find(order.gpu).name
    found = sorted({model for model in _models(node) if model not in (None, expected)}, key=str)
    problems = [f"node '{node.name}' has {model} GPUs, its pool is for {expected}" for model in found]
    count = len(node.report.gpus) if node.report and not node.report.errors else order.gpus_per_node
    if order.gpus_per_node and count != order.gpus_per_node:
        has = "1 GPU" if count == 1 else f"{count} GPUs"
        problems.append(f"node '{node.name}' has {has}, its pool says gpusPerNode {order.gpus_per_node}")
    return problems


def _models(node: Node) -> list[str | None]:
    if node.report is not None and node.report.gpus:
        found = [gpus.by_pci(gpu.pci_id) for gpu in node.report.gpus]
        return [model.name if model else None for model in found]
    try:
        return [gpus.find(node.labels.get(labels.PRODUCT, "").partition(OF_A_SLICE)[0]).name]
    except MigError:
        return [None]


def _label(node: Node, key: str) -> str:
    return repr(node.labels[key]) if key in node.labels else "not set"


def _pending_mode(node: Node) -> list[str]:
    waiting = [
        str(gpu.index)
        for gpu in (node.report.gpus if node.report else ())
        if gpu.mig_mode_current != gpu.mig_mode_pending
    ]
    if not waiting:
        return []
    return [
        f"node '{node.name}' waits for a GPU reset or a reboot: the MIG mode of GPU {', '.join(waiting)} is still to "
        "change; drain and reboot it, then run the update again"
    ]


def _manager(order: Order, node: Node, pod: Mapping[str, object] | None) -> list[str]:
    if pod is not None:
        return []
    deploy = f"{labels.DEPLOY_PREFIX}mig-manager"
    why = "" if node.labels.get(deploy) == "true" else f" (label {deploy} is {_label(node, deploy)}, not 'true')"
    return [
        f"node '{node.name}' has no MIG Manager pod{why}; see "
        f"`kubectl -n {order.namespace} get daemonset {MANAGER_APP}`"
    ]


def in_use(order: Order, node: str, held: Iterable[Holder]) -> list[str]:
    """Pods that cannot or may not be moved; what `wait` and `evict` can deal with is no problem."""
    held = list(held)
    if order.on_user_pods == "refuse" and held:
        return [f"node '{node}' is in use: {named(held)}; move them away, or choose onUserPods: wait or evict"]
    staying = [holder for holder in held if not holder.leaving]
    stuck = [holder for holder in staying if holder.of_daemon_set]
    lost = [holder for holder in staying if not holder.owner] if order.on_user_pods == "evict" else []
    found = []
    if stuck:
        found.append(
            f"node '{node}' is in use by pods of a DaemonSet, which would come back at once: {named(stuck)}; keep that "
            "DaemonSet off the node, by its nodeSelector for example"
        )
    if lost:
        found.append(
            f"node '{node}' is in use by pods that nothing would start again: {named(lost)}; delete them yourself, or "
            "choose onUserPods: wait"
        )
    return found
