"""Keeping new pods off nodes while they are cut, and letting them back: what is ours goes, what is others' stays."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from mig_fleet.cluster.client import Cluster, NodeMissing
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Node
from mig_fleet.rollout.context import Order


class Opened(StrEnum):
    """What came of a node that was to be opened, as the user reads it."""

    OPEN = "open again"
    CORDONED = "cordoned by somebody else, and still is"
    GONE = "not in the cluster any more"


def close(order: Order, nodes: Iterable[str]) -> None:
    """Nothing new starts on the nodes; raises :class:`Refused` when one cannot be closed."""
    _, failed = order.each(nodes, lambda cluster, name: shut(order, cluster, name))
    if failed:
        raise Refused("; ".join(f"{name} could not be closed: {text}" for name, text in sorted(failed.items())))


def shut(order: Order, cluster: Cluster, node: str) -> None:
    """Nothing new starts on the node; raises :class:`~mig_fleet.cluster.errors.ClusterError`."""
    if order.isolation == "cordon":
        cluster.cordon(node)
    else:
        cluster.close(node)


def reopen(order: Order, nodes: Iterable[str]) -> tuple[dict[str, Opened], dict[str, str]]:
    """Take our taints and our cordon off: what came of each node, and why it failed where it did."""
    return order.each(nodes, _opened)


def told(opened: Mapping[str, Opened]) -> str:
    """``open again: n1, n2``, what came of a node otherwise behind it."""
    words = {kind: ", ".join(sorted(name for name, found in opened.items() if found is kind)) for kind in Opened}
    return "; ".join(f"{kind}: {names}" for kind, names in words.items() if names)


def how_to_open(nodes: Iterable[Node], isolation: str = "") -> str:
    """The commands that open nodes by hand, by what closes each: ``kubectl`` refuses to take off what is not there.

    A node that was open when it was looked at counts as closed by ``isolation`` since.
    """
    commands: dict[str, list[str]] = {}
    for node in sorted(nodes, key=lambda node: node.name):
        taints, cordon = [taint for taint in labels.OUR_TAINTS if taint in node.taints], _our_cordon(node)
        if not node.closed:
            taints, cordon = [labels.TAINT] * (isolation == "taint"), isolation == "cordon" and not node.cordoned
        if taints:
            keys = " ".join(f"{taint}-" for taint in taints)
            commands.setdefault(f"kubectl taint nodes {{}} {keys}", []).append(node.name)
        if cordon:
            commands.setdefault("kubectl uncordon {}", []).append(node.name)
    return " && ".join(command.format(" ".join(names)) for command, names in commands.items())


def still_closed(order: Order, nodes: Iterable[str]) -> str:
    """A line about those that are closed at this moment, with the command; empty where none is."""
    names = sorted(nodes)
    try:
        seen = order.look().nodes
    except ClusterError:
        return f"\n{', '.join(names)} may still be closed; run the update again once the cluster answers"
    closed = [seen[name] for name in names if name in seen and seen[name].closed]
    return f"\nstill closed: {', '.join(it.name for it in closed)}; open with `{how_to_open(closed)}`" if closed else ""


def _our_cordon(node: Node) -> bool:
    return node.cordoned and node.annotations.get(labels.CORDONED) == "true"


def _opened(cluster: Cluster, name: str) -> Opened:
    try:
        return Opened.OPEN if cluster.open(name) else Opened.CORDONED
    except NodeMissing:
        return Opened.GONE
