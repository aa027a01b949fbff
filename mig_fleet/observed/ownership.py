"""Whose a node is: its mark names one wave, the stack declares it in one, and a half-done update makes them differ."""

from collections.abc import Iterable, Mapping
from typing import Any

from mig_fleet.model import labels
from mig_fleet.observed.differences import Difference, Kind, gone
from mig_fleet.observed.differences import relabelled as has_another_config
from mig_fleet.observed.snapshot import Look, Node

RETAIN, DISABLE, RESTORE = "retain", "disable", "restore"


def members(props: Mapping[str, Any]) -> list[str]:
    """The wave's nodes, and those that `check` found to join it while it waits."""
    return sorted({*props["nodes"], *(props.get("joining") or ())})


def own(seen: Look, props: Mapping[str, Any], stay: Iterable[str]) -> dict[str, Node]:
    """The nodes that carry this wave's mark, but those that stay."""
    kept = set(stay)
    marked = (node for node in seen.nodes.values() if node.annotations.get(labels.WAVE) == props["wave"])
    return {node.name: node for node in sorted(marked, key=lambda node: node.name) if node.name not in kept}


def is_others(node: Node, props: Mapping[str, Any]) -> bool:
    """Whether another wave has marked the node as its own."""
    return node.annotations.get(labels.WAVE) not in (None, props["wave"])


def relabelled(seen: Look, props: Mapping[str, Any], declared: Iterable[str] = ()) -> list[str]:
    """A sentence for each node that is gone, carries another wave's mark or another config than we gave it, or was
    taken out of the pool and is not declared elsewhere.
    """
    found: list[Difference] = []
    for name in props["nodes"]:
        node = seen.nodes.get(name)
        if node is None:
            found.append(gone(name))
        elif node.annotations.get(labels.WAVE) is None:
            text = "is another node of that name, without the marks of our last update"
            found.append(Difference(Kind.REPLACED, name, text))
        elif is_others(node, props):
            found.append(_of_others(node, props))
        elif node.config != props["config"]:
            found.append(has_another_config(node, props["config"]))
    for name, node in own(seen, props, {*members(props), *declared}).items():
        if props["on_delete"] != RETAIN:
            waits = f"waits for `onDelete: {props['on_delete']}`"
        elif node.closed:
            waits = "is still closed to new pods"
        else:
            continue
        found.append(Difference(Kind.LEFT, name, f"was taken out of the pool and {waits}"))
    return sorted(map(str, found))


def taken(seen: Look, props: Mapping[str, Any], declared: Iterable[str]) -> list[str]:
    """A sentence for each node that the wave still declares and another one has marked as its own."""
    there = (seen.nodes[name] for name in sorted({*declared} & {*members(props)}) if name in seen.nodes)
    return [str(_of_others(node, props)) for node in there if is_others(node, props)]


def spared(seen: Look, props: Mapping[str, Any], olds: Mapping[str, Any], declared: Iterable[str]) -> list[str]:
    """Nodes with this wave's mark that another one declares, as after a move that was taken back: an update does not
    release them, whichever of the two waves comes first.
    """
    return sorted({*declared} & own(seen, props, {*members(props), *members(olds)}).keys())


def _of_others(node: Node, props: Mapping[str, Any]) -> Difference:
    has = f"carries the mark of {node.annotations[labels.WAVE]}"
    return Difference(Kind.TAKEN, node.name, f"{has}, expected that of {props['wave']}")
