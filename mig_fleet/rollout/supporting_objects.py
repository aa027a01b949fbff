"""Restore our own objects that another user deleted or changed.

Each one is applied as Pulumi's Kubernetes provider applies it, under the same field manager. Under another one, a field
that a later release drops would stay, because it would still have an owner. What server-side apply cannot take back is
replaced as a whole, or deleted and created again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mig_fleet.cluster.client import FIELD_MANAGER, Cluster, ClusterArgs, Json
from mig_fleet.cluster.errors import ClusterError, Invalid
from mig_fleet.failures import CleanError, Refused, one_clean_error
from mig_fleet.observed.installed.existing_objects import MANAGED_BY
from mig_fleet.observed.owners.identity import REFRESH
from mig_fleet.observed.supporting_objects import (
    Deviation,
    deletion_obstacles,
    deviations,
    is_being_deleted,
    is_content_declared,
    is_ours,
    kubectl_arguments,
    object_differences,
    path_of,
    title_of,
    whole_object,
)
from mig_fleet.rollout.engine_run import is_interrupted

RESTORE_S: Final = 90.0
"""Seconds until everything must be as declared. A namespace that is being deleted needs most of it."""
HELD_S: Final = 20.0
"""Seconds until something that keeps an object from being deleted counts as permanent: the namespace controller looks
again 8 seconds after it found a finalizer, and only then changes the conditions (kubernetes v1.37.2,
pkg/controller/namespace/namespace_controller.go)."""
POLL_S: Final = 1.0
ROUNDS: Final = 2
"""How often an object is written: a second time if another client changed it meanwhile."""

CHART_COMMAND: Final = "helm -n {0} get manifest gpu-operator | kubectl -n {0} apply -f -"
"""Creates what the release has and the cluster lacks. `pulumi up --refresh` does not, unless the release itself is
gone: Pulumi compares its inputs, which are unchanged (pulumi-kubernetes 4.25.0; measured)."""


CHANGED_ON_WRITE: Final = (
    "the API server changed it again while it was written: a mutating admission webhook or policy of the cluster does "
    "that; exclude the object from it"
)


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
        written: dict[str, None] = {}
        rounds, held_since = 0, None
        while True:
            differing, _ = deviations(cluster, [*objects.ours, *objects.of_chart])
            now = time.monotonic()
            waits = any(is_being_deleted(each.found) for each in differing)
            is_held = any(deletion_obstacles(each.manifest, each.found) for each in differing)
            if is_held and held_since is None:
                print("\n".join(_being_deleted(differing)), flush=True)
            held_since = (held_since or now) if is_held else None
            is_late = now - started > RESTORE_S or (held_since is not None and now - held_since > HELD_S)
            if not differing or is_interrupted() or is_late or (rounds == ROUNDS and not waits):
                break
            if waits:
                time.sleep(POLL_S)
                continue
            rounds += 1
            reasons = _restore_each(cluster, objects, differing)
            written |= {title: None for each in differing if (title := title_of(each.manifest)) not in reasons}
        still = {title_of(each.manifest) for each in differing}
        print("".join(f"restored {title}\n" for title in written if title not in still), end="", flush=True)
        if differing:
            raise Refused(_explain(objects, differing, reasons))


def _restore_each(cluster: Cluster, objects: SupportingObjects, differing: Sequence[Deviation]) -> dict[str, str]:
    """Why an object is not as declared afterwards, by its title; empty for one of the chart that is missing: it is not
    created from a few fields.
    """
    reasons = {}
    for each in differing:
        title = title_of(each.manifest)
        if each.found is None and each.manifest in objects.of_chart:
            reasons[title] = ""
            continue
        try:
            answer = _write(cluster, objects, each)
        except ClusterError as exc:
            reasons[title] = str(exc)
        else:
            if object_differences(each.manifest, answer) and not is_being_deleted(answer):
                reasons[title] = CHANGED_ON_WRITE
    return reasons


def _write(cluster: Cluster, objects: SupportingObjects, deviation: Deviation) -> Json:
    """Returns the object as the API server has it afterwards."""
    manifest, found = deviation.manifest, deviation.found
    path = path_of(manifest)
    if manifest in objects.of_chart:
        return cluster.merge(path, {"spec": manifest["spec"]})
    if found is not None and not is_ours(manifest, found):
        raise ClusterError(f"another client created it without {MANAGED_BY}={FIELD_MANAGER}, so it was not changed")
    if not is_content_declared(manifest):
        content = objects.content(manifest["metadata"]["name"])
        if content is None:
            raise ClusterError("its content is not known to this version of mig-fleet")
        manifest = {**manifest, "binaryData": dict(content)}
    try:
        answer = cluster.apply(path, manifest)
    except Invalid:
        if found is None:
            raise
    else:
        if not object_differences(deviation.manifest, answer):
            return answer
    return _replace(cluster, path, manifest)


def _replace(cluster: Cluster, path: str, manifest: Json) -> Json:
    """For what server-side apply leaves: fields and items of lists that another field manager added, and values that
    are invalid beside them. An object with a field that never changes is deleted and created again; not a namespace,
    with which all that is in it would go.
    """
    found = cluster.get(path)
    try:
        return cluster.replace(path, whole_object(manifest, found))
    except Invalid:
        if manifest["kind"] == "Namespace":
            raise
        return cluster.recreate(path, manifest, found["metadata"]["uid"])


def _being_deleted(differing: Sequence[Deviation]) -> list[str]:
    return [str(line) for each in differing if is_being_deleted(each.found) for line in each.differences]


def _explain(objects: SupportingObjects, differing: Sequence[Deviation], reasons: Mapping[str, str]) -> str:
    """An object in a namespace that is being deleted is only named: nothing can be created there."""
    going = {title_of(each.manifest) for each in differing if is_being_deleted(each.found)}
    lines = ["not every supporting object could be restored:"]
    inside = []
    for each in differing:
        title = title_of(each.manifest)
        if f"Namespace {each.manifest['metadata'].get('namespace')}" in going:
            inside.append(title)
            continue
        lines += [f"  {difference}" for difference in each.differences]
        lines += [f"    {reasons[title]}"] if reasons.get(title) else []
        lines.append(f"    {_way_out(objects, each)}")
    if inside:
        lines.append(f"  also missing, because they are in it: {', '.join(inside)}")
    return "\n".join([*lines, "Then run `pulumi up` again"])


def _way_out(objects: SupportingObjects, deviation: Deviation) -> str:
    """What helps where an update cannot."""
    manifest = deviation.manifest
    if deviation.found is None:
        if manifest in objects.of_chart:
            command = CHART_COMMAND.format(objects.namespace)
            return f"create it again: {command}; if the release is gone, too: {REFRESH}"
        return f"create it again: {REFRESH}"
    if deletion_obstacles(manifest, deviation.found):
        return "once it is gone, an update creates it again"
    if is_being_deleted(deviation.found):
        return f"see what keeps it: kubectl get {kubectl_arguments(manifest)} -o yaml"
    if not is_ours(manifest, deviation.found):
        label = f"kubectl label --overwrite {kubectl_arguments(manifest)} {MANAGED_BY}={FIELD_MANAGER}"
        return f"delete or rename it; or let an update take it: {label}"
    if manifest in objects.of_chart:
        return f"see who writes it: kubectl get {kubectl_arguments(manifest)} -o yaml --show-managed-fields"
    return f"delete it, an update creates it again: kubectl delete {kubectl_arguments(manifest)}"
