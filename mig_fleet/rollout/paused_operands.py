"""Operands that MIG Manager paused for a change and has not restored.

mig-parted v0.13.1 to v0.15.0 restores them before each final state, until a change succeeds in that process; from then
on only at the end of a change that succeeds. So a failed apply leaves `failed` with all of them paused, and the config
from before it, written again, `success` (pkg/mig/reconfigure/reconfigure.go, NoRestartK8sDaemonsetsOnExit).
"""

import shlex
from collections.abc import Mapping

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Node


def restore_operands(cluster: Cluster, node: Node) -> bool:
    """Restore the operands that are paused; an operand that a user switched off stays off. Returns whether it was done.

    Nothing is written if MIG Manager's state is another one than was observed: it is at work, or restored them itself.
    """
    done = False

    def patch(there: Json) -> Json | None:
        nonlocal done
        found = there["metadata"].get("labels") or {}
        done = found.get(labels.STATE, "") == node.state
        restored = _restored(found)
        return {"metadata": {"labels": restored}} if done and restored else None

    cluster.rewrite_node(node.name, patch, node.uid)
    return done


def operands_to_restore(node_labels: Mapping[str, str]) -> dict[str, str]:
    """The deploy labels of a node that is given back, once MIG Manager has finished; empty if none is paused."""
    return _restored(node_labels) if node_labels.get(labels.STATE) in ("success", "failed") else {}


def restore_operands_command(node: Node) -> str:
    """The command that does it by hand."""
    restored = " ".join(shlex.quote(f"{label}={value}") for label, value in _restored(node.labels).items())
    return f"kubectl label nodes {node.name} --overwrite {restored}"


def _restored(node_labels: Mapping[str, str]) -> dict[str, str]:
    """The deploy labels that are paused, as they were before."""
    paused = (label for label, value in node_labels.items() if value == labels.PAUSED)
    return {label: "true" for label in sorted(paused) if label.startswith(labels.DEPLOY_PREFIX)}
