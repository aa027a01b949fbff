"""Take ownership of nodes for a wave, and release them; refuse to remove what another stack owns."""

from collections.abc import Callable, Mapping

from mig_fleet.cluster.client import Cluster, Json, NodeMissing
from mig_fleet.cluster.errors import Forbidden
from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.observed.owners.cluster_owner import Owner, forget_command, not_ours
from mig_fleet.observed.owners.identity import Identity, read_identity
from mig_fleet.observed.owners.other_files import other_file_owners
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.isolation import restored
from mig_fleet.rollout.paused_operands import operands_to_restore
from mig_fleet.rollout.wave import Wave

Annotations = Mapping[str, Mapping[str, str | None]]
"""Node → the annotations that record its owner."""


def take_ownership(context: RolloutContext, annotations: Annotations) -> None:
    """Record a wave as the owner of nodes, so that no other wave changes them; raises :class:`Refused`."""
    _, failed = context.on_each(annotations, lambda cluster, name: cluster.patch_node(name, {}, annotations[name]))
    if failed:
        raise Refused("; ".join(f"{name} could not be annotated: {text}" for name, text in sorted(failed.items())))


def require_cluster(cluster: Cluster, uid: str, owner: str) -> None:
    """Raises :class:`Refused` in a cluster other than the one that the stack was deployed to. Nothing is refused if
    either is not known.
    """
    try:
        reached = read_identity(cluster) if uid else Identity()
    except Forbidden:
        return
    if reached.uid != uid and reached.uid:
        ours = Owner.parse(owner)
        forget = f"; `{forget_command(ours.stack)}` forgets {ours.stack} if its cluster is gone" if ours else ""
        raise Refused(
            f"this stack was deployed to the cluster {uid}, and the kubeconfig reaches another one, {reached}; nothing "
            f"was changed. `kubectl config use-context` or `cluster.context` chooses another context than "
            f"{reached.context!r}{forget}"
        )


def require_cluster_owner(cluster: Cluster, namespace: str, owner: str, take_over: str = "") -> None:
    """Raises :class:`Refused` if the layout file in ``namespace`` records another owner than this and ``take_over``.

    In a destroy Pulumi checks no resource, and with `--target` not the cluster's owner; so each write of ours that
    another stack would undo begins with this.
    """
    found = not_ours(owner, cluster.config_map(namespace, labels.LAYOUTS_CONFIG_MAP), take_over)
    if found:
        raise Refused(found)


def take_over_elsewhere(cluster: Cluster, namespace: str, owner: str, take_over: str) -> None:
    """Record ``owner`` on the layout files of the owner that ``take_over`` names in namespaces other than
    ``namespace``: its stack, whose ``operator.namespace`` is there, reads no other file. Raises ClusterError.
    """
    for where, found in other_file_owners(cluster, namespace).items():
        if found.is_named_by(take_over):
            cluster.write_config_map(where, labels.LAYOUTS_CONFIG_MAP, {}, {labels.OWNER: owner})
            print(
                f"ConfigMap {where}/{labels.LAYOUTS_CONFIG_MAP} of {found.stack} records this stack now, and is not "
                f"changed any more; MIG Manager must read that of namespace {namespace}",
                flush=True,
            )


def require_node_owner(cluster: Cluster, namespace: str, owner: str) -> None:
    """The same by what the nodes record, if the layout file is missing. Raises :class:`Refused`."""
    ours = Owner.parse(owner)
    if ours is None or cluster.config_map(namespace, labels.LAYOUTS_CONFIG_MAP) is not None:
        return
    for node in cluster.get("/api/v1/nodes")["items"]:
        recorded = Owner.parse((node["metadata"].get("annotations") or {}).get(labels.OWNER, ""))
        if recorded is not None and recorded.id != ours.id:
            name = node["metadata"]["name"]
            raise Refused(
                f"the cluster is owned by stack {recorded.stack} ({recorded.id}), as node {name} records; nothing was "
                f"changed. `{forget_command(ours.stack)}` forgets {ours.stack} without changing the cluster"
            )


def release_node(cluster: Cluster, name: str, wave: Wave) -> str:
    """Restore scheduling and remove our annotations, in one write. Returns a line about a node that was isolated, or on
    which MIG Manager failed: it is given back in that state.

    A node that is missing, or that another wave or another stack owns now, is not changed.
    """
    ours = Owner.parse(wave.owner)

    def is_ours(there: Mapping[str, str]) -> bool:
        recorded = Owner.parse(there.get(labels.OWNER, ""))
        return there.get(labels.WAVE) == wave.wave and (recorded is None or recorded.id == (ours.id if ours else ""))

    return _release(cluster, name, is_ours)


def release_left_nodes(cluster: Cluster, owner: str) -> None:
    """Release the nodes of a stack that no wave in its state knows: their first update failed or was interrupted."""
    ours = Owner.parse(owner)
    if ours is None:
        return

    def is_ours(there: Mapping[str, str]) -> bool:
        recorded = Owner.parse(there.get(labels.OWNER, ""))
        return recorded is not None and recorded.id == ours.id

    for node in cluster.get("/api/v1/nodes")["items"]:
        annotations = node["metadata"].get("annotations") or {}
        if is_ours(annotations) and (text := _release(cluster, node["metadata"]["name"], is_ours)):
            print(text, flush=True)


def _release(cluster: Cluster, name: str, is_ours: Callable[[Mapping[str, str]], bool]) -> str:
    text = ""

    def released(node: Json) -> Json | None:
        nonlocal text
        text = ""
        if not is_ours(node["metadata"].get("annotations") or {}):
            return None
        patch, operands = restored(node) or {}, operands_to_restore(node["metadata"].get("labels") or {})
        text = _format_release(node, is_isolated=bool(patch), had_paused=bool(operands))
        annotations = {
            **patch.get("metadata", {}).get("annotations", {}),
            **dict.fromkeys(labels.OWNERSHIP_ANNOTATIONS),
        }
        return {**patch, "metadata": {"annotations": annotations, **({"labels": operands} if operands else {})}}

    try:
        cluster.rewrite_node(name, released)
    except NodeMissing:
        return ""
    return text


def _format_release(node: Json, *, is_isolated: bool, had_paused: bool) -> str:
    """``n1: released with config 'dense-1c0ffee2' and state 'failed', no longer isolated``; empty for a healthy node
    that is not isolated and whose operands run.
    """
    metadata = node["metadata"]
    found = metadata.get("labels") or {}
    state = found.get(labels.STATE, "")
    if state == "success" and not is_isolated and not had_paused:
        return ""
    isolation = (", no longer isolated" if is_isolated else "") + (", its operands restored" if had_paused else "")
    return f"{metadata['name']}: released with config {found.get(labels.CONFIG, '')!r} and state {state!r}{isolation}"
