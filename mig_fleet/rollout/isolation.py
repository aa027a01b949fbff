"""Keep new pods off nodes during a change, and restore their scheduling. Taints and cordons of others stay."""

import shlex
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from mig_fleet.cluster.client import Cluster, Json, NodeMissing
from mig_fleet.cluster.errors import ClusterError, NodeReplaced
from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.model.strategy import PerGpu
from mig_fleet.observed.gpus.reported_slices import format_reported
from mig_fleet.observed.objects import Taint
from mig_fleet.observed.scheduling import CORDON
from mig_fleet.observed.snapshot import Node
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.other_update import refuse_relabelled
from mig_fleet.rollout.wave import Isolation

TAINT = Taint(labels.TAINT, effect="NoSchedule")


class Scheduling(StrEnum):
    """Result of restoring a node's scheduling, as printed."""

    RESTORED = "scheduling restored"
    CORDONED = "still cordoned by another user"
    GONE = "no longer in the cluster"


def isolating_taint(isolation: Isolation) -> Taint:
    """What keeps new pods off an isolated node: a pod that tolerates it may start there all the same."""
    return CORDON if isolation == "cordon" else TAINT


def isolate(context: RolloutContext, nodes: Mapping[str, Node]) -> None:
    """Keep new pods off the nodes; raises :class:`Refused` if a node cannot be isolated, or was replaced."""
    ours, failed = context.on_each(nodes, lambda cluster, name: isolate_node(context, cluster, nodes[name]))
    if failed:
        raise Refused("; ".join(f"{name} could not be isolated: {text}" for name, text in sorted(failed.items())))
    announce(context, [name for name, is_ours in ours.items() if is_ours])


def announce(context: RolloutContext, nodes: Iterable[str]) -> None:
    """Print which nodes were isolated now, and the command that restores their scheduling: nothing else may be printed
    after a second Ctrl-C.
    """
    if names := sorted(nodes):
        is_cordon, listed = context.wave.isolation == "cordon", shlex.join(names)
        undo = f"uncordon {listed}" if is_cordon else f"taint nodes {listed} {labels.TAINT}-"
        context.event(f"isolated {', '.join(names)}; to restore scheduling by hand: `kubectl {undo}`")


def isolate_node(context: RolloutContext, cluster: Cluster, node: Node) -> bool:
    """Taint or cordon one node; returns whether it is isolated by us, and not only cordoned by another user.

    Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    if context.wave.isolation == "taint":
        cluster.rewrite_node(node.name, _tainted, node.uid)
        return True
    found = cluster.rewrite_node(node.name, _cordoned, node.uid)
    return (found["metadata"].get("annotations") or {}).get(labels.CORDONED) == "true"


def restore_node(cluster: Cluster, name: str, seen: Node | None = None) -> Scheduling:
    """Remove our taints and our cordon from one node, and nothing else. A node that replaced the one that was ``seen``
    is not changed, nor one that another update relabelled meanwhile: raises
    :class:`~mig_fleet.cluster.errors.Conflict`.
    """

    def patch(there: Json) -> Json | None:
        if seen is not None:
            refuse_relabelled(seen, there)
        return restored(there)

    try:
        node = cluster.rewrite_node(name, patch, seen.uid if seen else "")
    except (NodeMissing, NodeReplaced):
        return Scheduling.GONE
    return Scheduling.CORDONED if node["spec"].get("unschedulable") else Scheduling.RESTORED


def restore_scheduling(
    context: RolloutContext, nodes: Iterable[str], seen: Mapping[str, Node]
) -> tuple[dict[str, Scheduling], dict[str, str]]:
    """Remove our taints and our cordons: the result by node, and the errors of those that failed."""
    return context.on_each(nodes, lambda cluster, name: restore_node(cluster, name, seen.get(name)))


def format_results(results: Mapping[str, Scheduling]) -> str:
    """``scheduling restored: n1, n2``, followed by the other results."""
    texts = {kind: ", ".join(sorted(name for name, found in results.items() if found is kind)) for kind in Scheduling}
    return "; ".join(f"{kind}: {names}" for kind, names in texts.items() if names)


def restore_command(nodes: Iterable[Node], isolation: str = "") -> str:
    """The commands that restore scheduling by hand. Names only taints that the node has: ``kubectl`` refuses to remove
    a missing one.

    A node that is not isolated in its snapshot is assumed to have been isolated by us, by ``isolation``, after the
    snapshot.
    """
    commands: dict[str, list[str]] = {}
    for node in sorted(nodes, key=lambda node: node.name):
        taints, cordon = [taint for taint in labels.OUR_TAINTS if taint in node.taints], node.is_cordoned_by_us
        if not node.isolated:
            taints, cordon = [labels.TAINT] * (isolation == "taint"), isolation == "cordon" and not node.cordoned
        if taints:
            keys = " ".join(f"{taint}-" for taint in taints)
            commands.setdefault(f"kubectl taint nodes {{}} {keys}", []).append(shlex.quote(node.name))
        if cordon:
            commands.setdefault("kubectl uncordon {}", []).append(shlex.quote(node.name))
    return " && ".join(command.format(" ".join(names)) for command, names in commands.items())


def restore_hint(nodes: Iterable[Node], isolation: str = "") -> str:
    """``restore scheduling with `kubectl …` ``; empty if :func:`restore_command` is."""
    command = restore_command(nodes, isolation)
    return f"restore scheduling with `{command}`" if command else ""


def format_isolated(
    nodes: Iterable[Node],
    lead: str = "still isolated",
    isolation: str = "",
    reasons: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """``still isolated: n1; restore scheduling with `kubectl …` ``; empty if no node is isolated.

    With ``isolation`` every node counts as isolated, as in :func:`restore_command`. ``reasons`` are by node: ``n1 (no
    answer)``.
    """
    isolated = sorted((node for node in nodes if node.isolated or isolation), key=lambda node: node.name)
    if not isolated:
        return ""
    if reasons:
        names = "; ".join(f"{node.name} ({reasons[node.name]})" for node in isolated)
    else:
        names = ", ".join(node.name for node in isolated)
    return "; ".join(filter(None, [f"{lead}: {names}", restore_hint(isolated, isolation)]))


def format_isolated_by_state(nodes: Iterable[Node], declared: PerGpu) -> str:
    """The isolated nodes with their label and what NVML shows, and what to do after a failed verification; empty if no
    node is isolated.
    """
    isolated = [node for node in nodes if node.isolated]
    if not isolated:
        return ""
    alike: dict[str, list[str]] = {}
    for node in sorted(isolated, key=lambda node: node.name):
        label = f"labelled {node.config}" if node.config else "not labelled"
        alike.setdefault(f"{label}; {format_reported(node, declared)}", []).append(node.name)
    states = ", ".join(f"{', '.join(names)} ({text})" for text, names in alike.items())
    return (
        f"Still isolated: {states}. Once the cause is fixed, run `pulumi up` again; to restore scheduling without "
        f"another update: `{restore_command(isolated)}`"
    )


def format_unknown(names: Iterable[str]) -> str:
    """A line about nodes whose isolation is unknown, because the cluster does not answer."""
    return f"{', '.join(names)} may still be isolated; run the update again once the cluster answers"


def still_isolated(context: RolloutContext, nodes: Iterable[str]) -> str:
    """A line about the nodes that are isolated now, with the command; empty if none is."""
    names = sorted(nodes)
    if not names:
        return ""
    try:
        seen = context.observe().nodes
    except ClusterError:
        return f"\n{format_unknown(names)}"
    line = format_isolated(seen[name] for name in names if name in seen)
    return f"\n{line}" if line else ""


def restored(node: Json) -> Json | None:
    """The merge patch that removes our taints and our cordon; ``None`` if there are none."""
    there: list[Json] = node["spec"].get("taints") or []
    foreign = [taint for taint in there if taint["key"] not in labels.OUR_TAINTS]
    cordoned = (node["metadata"].get("annotations") or {}).get(labels.CORDONED) == "true"
    if foreign == there and not cordoned:
        return None
    spec: Json = {} if foreign == there else {"taints": foreign or None}
    if not cordoned:
        return {"spec": spec}
    return {"metadata": {"annotations": {labels.CORDONED: None}}, "spec": {**spec, "unschedulable": None}}


def isolated_again(seen: Node, node: Json) -> Json:
    """The merge patch that puts back what kept new pods off the node when it was ``seen``; empty if it is there."""
    if seen.is_cordoned_by_us:
        return _cordoned(node) or {}
    return (_tainted(node) or {}) if labels.TAINT in seen.taints else {}


def _tainted(node: Json) -> Json | None:
    there: list[Json] = node["spec"].get("taints") or []
    if any(taint["key"] == labels.TAINT for taint in there):
        return None
    return {"spec": {"taints": [*there, {"key": TAINT.key, "effect": TAINT.effect}]}}


def _cordoned(node: Json) -> Json | None:
    """A node that another user cordoned is not changed; only our cordon is recorded."""
    if node["spec"].get("unschedulable"):
        return None
    return {"metadata": {"annotations": {labels.CORDONED: "true"}}, "spec": {"unschedulable": True}}
