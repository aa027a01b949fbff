"""Restore our own objects that another user deleted or changed.

Each one is applied as Pulumi's Kubernetes provider applies it, under the same field manager. Under another one, a field
that a later release drops would stay, because it would still have an owner.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mig_fleet.cluster.client import Cluster, ClusterArgs, Json
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.failures import CleanError, Refused, one_clean_error
from mig_fleet.observed.supporting_objects import (
    Deviation,
    deviations,
    is_being_deleted,
    is_content_declared,
    kubectl_arguments,
    path_of,
    title_of,
)
from mig_fleet.rollout.engine_run import is_interrupted

RESTORE_S: Final = 90.0
"""Seconds until everything must be as declared. A namespace that is being deleted needs most of it."""
POLL_S: Final = 1.0
ROUNDS: Final = 2
"""How often an object is applied: a second time if another client changed it meanwhile."""

CHART_COMMAND: Final = "helm -n {0} get manifest gpu-operator | kubectl -n {0} apply -f -"
"""Creates what the release has and the cluster lacks. `pulumi up --refresh` does not, unless the release itself is
gone: Pulumi compares its inputs, which are unchanged (pulumi-kubernetes 4.25.0; measured)."""


class SupportingObjectsFailed(CleanError):
    """Some objects are not as declared and could not be restored; the message names each of them and a command."""


@dataclass(frozen=True)
class SupportingObjects:
    """What a stack has in the cluster beside the nodes and the layout file."""

    cluster: ClusterArgs
    namespace: str
    """Where the operator runs."""
    ours: Sequence[Json]
    """Manifests, in the order in which the objects are created."""
    of_chart: Sequence[Json] = ()
    """Objects of the operator's chart, with only the fields that our chart values determine."""
    content: Callable[[str], Mapping[str, str] | None] = lambda _: None
    """The binary data of a ConfigMap whose manifest has none, by name; ``None`` if it is not known."""


def restore(objects: SupportingObjects) -> None:
    """Return when every object that may be read is as declared; prints a line for each one that had to be restored.

    Raises :class:`SupportingObjectsFailed`.
    """
    with one_clean_error(SupportingObjectsFailed):
        cluster, started = Cluster(objects.cluster), time.monotonic()
        reasons: dict[str, str] = {}
        rounds = 0
        while True:
            differing, _ = deviations(cluster, [*objects.ours, *objects.of_chart])
            if not differing:
                return
            waits = any(is_being_deleted(each.found) for each in differing)
            is_late = time.monotonic() - started > RESTORE_S
            if is_interrupted() or is_late or (rounds == ROUNDS and not waits):
                raise Refused(_explain(objects, differing, reasons))
            if waits:
                time.sleep(POLL_S)
                continue
            rounds += 1
            reasons = _restore_each(cluster, objects, differing)


def _restore_each(cluster: Cluster, objects: SupportingObjects, differing: Sequence[Deviation]) -> dict[str, str]:
    """Returns the errors by the title of the object. An object of the chart is not created from a few fields."""
    reasons = {}
    for each in differing:
        if each.found is None and each.manifest in objects.of_chart:
            continue
        try:
            _apply(cluster, objects, each.manifest)
        except ClusterError as exc:
            reasons[title_of(each.manifest)] = str(exc)
        else:
            print(f"restored {title_of(each.manifest)}", flush=True)
    return reasons


def _apply(cluster: Cluster, objects: SupportingObjects, manifest: Json) -> None:
    if manifest in objects.of_chart:
        cluster.merge(path_of(manifest), {"spec": manifest["spec"]})
        return
    if not is_content_declared(manifest):
        content = objects.content(manifest["metadata"]["name"])
        if content is None:
            raise ClusterError("its content is not known to this version of mig-fleet")
        manifest = {**manifest, "binaryData": dict(content)}
    cluster.apply(path_of(manifest), manifest)


def _explain(objects: SupportingObjects, differing: Sequence[Deviation], reasons: Mapping[str, str]) -> str:
    lines = ["not every supporting object could be restored:"]
    for each in differing:
        title = title_of(each.manifest)
        lines += [f"  {difference}" for difference in each.differences]
        lines += [f"    {reasons[title]}"] if title in reasons else []
        lines.append(f"    {_way_out(objects, each)}")
    return "\n".join([*lines, "Then run `pulumi up` again"])


def _way_out(objects: SupportingObjects, deviation: Deviation) -> str:
    """The command that helps where an update cannot: an object with a field that never changes must be deleted."""
    manifest = deviation.manifest
    if deviation.found is None:
        if manifest in objects.of_chart:
            command = CHART_COMMAND.format(objects.namespace)
            return f"create it again: {command}; if the release is gone, too: pulumi up --refresh"
        return "create it again: pulumi up --refresh"
    if is_being_deleted(deviation.found):
        return f"see what keeps it: kubectl get {kubectl_arguments(manifest)} -o yaml"
    if manifest in objects.of_chart:
        return f"see who writes it: kubectl get {kubectl_arguments(manifest)} -o yaml --show-managed-fields"
    return f"delete it, an update creates it again: kubectl delete {kubectl_arguments(manifest)}"
