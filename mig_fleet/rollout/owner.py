"""Take ownership of nodes for a wave, and release them; refuse to remove what another stack owns."""

import contextlib
from collections.abc import Mapping

from mig_fleet.cluster.client import Cluster, Json, NodeMissing
from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.observed.owners.cluster_owner import Owner, not_ours
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.isolation import restored
from mig_fleet.rollout.wave import Wave

Annotations = Mapping[str, Mapping[str, str | None]]
"""Node → the annotations that record its owner."""


def take_ownership(context: RolloutContext, annotations: Annotations) -> None:
    """Record a wave as the owner of nodes, so that no other wave changes them; raises :class:`Refused`."""
    _, failed = context.on_each(annotations, lambda cluster, name: cluster.patch_node(name, {}, annotations[name]))
    if failed:
        raise Refused("; ".join(f"{name} could not be annotated: {text}" for name, text in sorted(failed.items())))


def require_cluster_owner(cluster: Cluster, namespace: str, owner: str, take_over: str = "") -> None:
    """Raises :class:`Refused` if the layout file in ``namespace`` records another owner than this and ``take_over``.

    In a destroy Pulumi checks no resource, and with `--target` not the cluster's owner; so each write of ours that
    another stack would undo begins with this.
    """
    found = not_ours(owner, cluster.config_map(namespace, labels.LAYOUTS_CONFIG_MAP), take_over)
    if found:
        raise Refused(found)


def release_node(cluster: Cluster, name: str, wave: Wave) -> None:
    """Restore scheduling and remove our annotations, in one write.

    A node that is missing, or that another wave or another stack owns now, is not changed.
    """

    def released(node: Json) -> Json | None:
        there = node["metadata"].get("annotations") or {}
        recorded, ours = Owner.parse(there.get(labels.OWNER, "")), Owner.parse(wave.owner)
        if there.get(labels.WAVE) != wave.wave or (recorded and recorded.id != (ours.id if ours else "")):
            return None
        patch = restored(node) or {}
        annotations = {
            **patch.get("metadata", {}).get("annotations", {}),
            **dict.fromkeys(labels.OWNERSHIP_ANNOTATIONS),
        }
        return {**patch, "metadata": {"annotations": annotations}}

    with contextlib.suppress(NodeMissing):
        cluster.rewrite_node(name, released)
