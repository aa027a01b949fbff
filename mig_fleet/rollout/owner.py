"""Take ownership of nodes for a wave, and release them."""

import contextlib
from collections.abc import Mapping

from mig_fleet.cluster.client import Cluster, Json, NodeMissing
from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.isolation import restored

Annotations = Mapping[str, Mapping[str, str | None]]
"""Node → the annotations that record its owner."""


def take_ownership(context: RolloutContext, annotations: Annotations) -> None:
    """Record a wave as the owner of nodes, so that no other wave changes them; raises :class:`Refused`."""
    _, failed = context.on_each(annotations, lambda cluster, name: cluster.patch_node(name, {}, annotations[name]))
    if failed:
        raise Refused("; ".join(f"{name} could not be annotated: {text}" for name, text in sorted(failed.items())))


def release_node(cluster: Cluster, name: str, wave: str) -> None:
    """Restore scheduling and remove our annotations, in one write.

    A node that is missing, or that another wave owns now, is not changed.
    """

    def released(node: Json) -> Json | None:
        if (node["metadata"].get("annotations") or {}).get(labels.WAVE) != wave:
            return None
        patch = restored(node) or {}
        annotations = {
            **patch.get("metadata", {}).get("annotations", {}),
            **dict.fromkeys(labels.OWNERSHIP_ANNOTATIONS),
        }
        return {**patch, "metadata": {"annotations": annotations}}

    with contextlib.suppress(NodeMissing):
        cluster.rewrite_node(name, released)
