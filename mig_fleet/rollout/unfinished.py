"""Which nodes an interrupted, killed or failed update left half done, and what the next one does with them. Pure.

A wave that failed is still a planned change, for which no drift is computed; without these lines its preview would look
like that of a change that has not begun.

`pulumi preview --diff` shows 150 characters of a text (pkg v3.259.0 backend/display/object_diff.go), so each node has
short lines instead of a long one.
"""

from collections.abc import Iterable, Mapping

from mig_fleet.model import labels
from mig_fleet.observed.configs.names import expected_config, with_config
from mig_fleet.observed.differences import node_differences
from mig_fleet.observed.drift import Difference, DriftClass
from mig_fleet.observed.gpus.reported_slices import format_reported
from mig_fleet.observed.owners.ownership import belongs_to_another_stack
from mig_fleet.observed.plugin_settings import with_another_strategy
from mig_fleet.observed.snapshot import Node
from mig_fleet.rollout.isolation import restore_command
from mig_fleet.rollout.remedy import WRONG
from mig_fleet.rollout.wave import Wave

NOT_SEEN_YET = frozenset({DriftClass.REPORT_MISSING, DriftClass.REPORT_STALE})
"""Not the traces of an update: a stack's first preview is made before its probes run."""

RENAMED = frozenset({DriftClass.ALLOCATABLE_STALE, DriftClass.GFD_LABELS_STALE})
"""Not the traces of an update on a node with another MIG strategy: there the slices have other names."""


def unfinished_nodes(wave: Wave, nodes: Mapping[str, Node], planned: bool) -> list[str]:
    """Lines about each node of the wave that is half done: its label and state, and how it is isolated; what NVML
    shows; what the next update does; and the command that restores its scheduling by hand.

    ``planned``: the wave is not verified yet, or with another layout. Otherwise its differences are drift, and only
    nodes that are isolated *and* differ are named, and those on which MIG Manager failed.
    """
    return [line for name in wave.members if name in nodes for line in _lines(wave, nodes[name], planned)]


def abandoned_nodes(nodes: Iterable[Node]) -> list[str]:
    """Lines about each node that we isolated and that no wave owns: unless a pool declares it, no update restores its
    scheduling.
    """
    abandoned = [node for node in nodes if is_isolated_by_us(node) and labels.WAVE not in node.annotations]
    return [
        line
        for node in sorted(abandoned, key=lambda node: node.name)
        for line in (f"{node.name}: {_isolation(node)}, and no wave owns it any more", _restore(node))
    ]


def undeclared_nodes(nodes: Iterable[Node], declared: Iterable[str], owner: str) -> list[str]:
    """A line about each node that a wave of this stack owns and no pool declares, if it will be given back isolated, or
    after MIG Manager failed.
    """
    left = {node.name: node for node in nodes if is_isolated_by_us(node) or node.state == "failed"}
    others = (left[name] for name in left.keys() - set(declared))
    owned = [node for node in others if labels.WAVE in node.annotations and not belongs_to_another_stack(node, owner)]
    return [
        f"{node.name} is in no pool any more, and under `onDelete: retain` it is given back as it is: {_state(node)}; "
        f"{format_reported(node)}"
        for node in sorted(owned, key=lambda node: node.name)
    ]


def is_isolated_by_us(node: Node) -> bool:
    """Whether a change isolated the node; the startup taint is a node pool's, and no trace of an update."""
    return labels.TAINT in node.taints or node.is_cordoned_by_us


def _lines(wave: Wave, node: Node, planned: bool) -> list[str]:
    target = expected_config(wave.expected, node, wave.config_name)
    is_labelled, isolated = node.config == target, is_isolated_by_us(node)
    found = node_differences(with_config(wave.expected, target), node.name, node) if is_labelled else []
    if planned:
        is_renamed = bool(with_another_strategy([node], wave.expected.strategy))
        ignored = NOT_SEEN_YET | (RENAMED if is_renamed else frozenset())
        begun = is_labelled and any(d.drift not in ignored for d in found)
        unfinished = isolated or begun or node.state in ("failed", "pending")
    else:
        unfinished = node.state == "failed" or (isolated and (bool(found) or not is_labelled))
    if not unfinished:
        return []
    return [
        f"{node.name}: {_state(node)}",
        f"{node.name}: {format_reported(node, wave.expected.gpus)}",
        f"{node.name}: the next update {_next_step(wave, node, found, target)}",
        *([_restore(node)] if isolated else []),
    ]


def _state(node: Node) -> str:
    state = f"state '{node.state}'" if node.state else "no state yet"
    isolation = _isolation(node) if is_isolated_by_us(node) else "not isolated"
    return f"config {node.config or 'none'}, {state}, {isolation}"


def _isolation(node: Node) -> str:
    ways = [f"taint {labels.TAINT}"] if labels.TAINT in node.taints else []
    return "isolated by " + " and ".join([*ways, *(["our cordon"] if node.is_cordoned_by_us else [])])


def _restore(node: Node) -> str:
    return f"`{restore_command([node])}` restores its scheduling by hand"


def _next_step(wave: Wave, node: Node, found: Iterable[Difference], target: str) -> str:
    classes = {difference.drift for difference in found}
    if wave.held:
        return "leaves it as it is: its wave waits for a later update"
    if node.config != target:
        first = "waits for MIG Manager, then " if node.state == "pending" else ""
        return f"{first}reconfigures it to {target}"
    if classes & WRONG:
        by_hand = "fails again, unless MIG Manager is restarted there by hand (recovery is off)"
        return "restarts MIG Manager there and verifies it" if wave.recovery else by_hand
    if DriftClass.OPERANDS_PAUSED in classes:
        return "restores its paused operands and verifies it"
    if DriftClass.NOT_RECONCILED in classes:
        return "waits for MIG Manager and verifies it"
    if classes:
        return "waits until it is as declared and verifies it"
    return "verifies it and restores its scheduling"
