"""Our own objects in the cluster, compared with their manifests: RBAC, DaemonSet, admission policy, namespaces, rules.

Pulumi compares a Kubernetes resource with its state and not with the cluster, unless a user adds `--refresh`. So a
plain preview does not see that another user deleted or changed such an object.

Compared is what a manifest declares, and what others added where nothing but a user adds a field
(:mod:`mig_fleet.observed.field_differences`). What the API server adds by default, and what controllers and webhooks
add, is no difference.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from mig_fleet.cluster.client import FIELD_MANAGER, Cluster, Json
from mig_fleet.cluster.errors import Forbidden, NotFound
from mig_fleet.model import labels
from mig_fleet.observed.drift import Difference, DriftClass
from mig_fleet.observed.field_differences import OURS_ALONE, FieldComparison
from mig_fleet.observed.installed.existing_objects import MANAGED_BY

PARALLEL_READS: Final = 8

PULUMI_ANNOTATIONS: Final = "pulumi.com/"
"""Annotations that control Pulumi's Kubernetes provider; not compared."""

CONTENT_REMAINING: Final = "NamespaceContentRemaining"
"""A condition of each namespace that is being deleted and is not empty. Its other conditions are about what keeps it
(k8s.io/api core/v1, NamespaceConditionType)."""

REMAINING_KIND: Final = re.compile(r"([a-z0-9.-]+?)\.? has \d+ resource instances")
"""``configmaps. has 1 resource instances`` in that condition (kubernetes v1.37.2,
pkg/controller/namespace/deletion/status_condition_utils.go)."""

OTHER_PROGRAM: Final = (
    f"binaryData is not the program of which the name has the hash; once it is restored, restart the probes that "
    f"started with it: kubectl -n {{}} rollout restart daemonset {labels.PROBE}"
)

MOST_LINES: Final = 3
"""Fields of one object in a preview."""


def path_of(manifest: Json) -> str:
    """The path of an object at the API server."""
    version, metadata, kind = manifest["apiVersion"], manifest["metadata"], manifest["kind"].lower()
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    namespace = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}es" if kind.endswith("s") else f"{kind}s"
    return f"{root}{namespace}/{plural}/{metadata['name']}"


def title_of(manifest: Json) -> str:
    """Kind, namespace and name: ``DaemonSet mig-fleet/mig-probe``."""
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {'/'.join(filter(None, (metadata.get('namespace'), metadata['name'])))}"


def kubectl_arguments(manifest: Json) -> str:
    """What `kubectl` needs to find an object: ``-n mig-fleet daemonset mig-probe``."""
    metadata = manifest["metadata"]
    namespace = f"-n {metadata['namespace']} " if metadata.get("namespace") else ""
    return f"{namespace}{manifest['kind'].lower()} {metadata['name']}"


def is_content_declared(manifest: Json) -> bool:
    """Whether the manifest has the object's data. That of the probe's program has none, because it is large and would
    be stored twice in Pulumi's state; the ConfigMap's name has the hash of the program.
    """
    return manifest["kind"] != "ConfigMap" or not {"data", "binaryData"}.isdisjoint(manifest)


def has_named_program(manifest: Json, found: Json) -> bool:
    """Whether the ConfigMap of the probe's program has the program of which its name has the hash."""
    content = found.get("binaryData") or {}
    digest = hashlib.sha256(base64.b64decode(content.get(labels.PROBE_PROGRAM, ""))).hexdigest()
    return content.keys() == {labels.PROBE_PROGRAM} and digest.startswith(manifest["metadata"]["name"].split("-")[-1])


def read_objects(cluster: Cluster, manifests: Sequence[Json]) -> list[Json | Forbidden | None]:
    """Each object as it is now, in parallel; ``None`` is a missing one, ``Forbidden`` one that may not be read.

    Raises other :class:`~mig_fleet.cluster.errors.ClusterError`.
    """

    def one(manifest: Json) -> Json | Forbidden | None:
        try:
            return cluster.get(path_of(manifest))
        except NotFound:
            return None
        except Forbidden as exc:
            return exc

    with ThreadPoolExecutor(PARALLEL_READS) as executor:
        return list(executor.map(one, manifests))


def is_being_deleted(found: Json | None) -> bool:
    """Whether an object exists only until its finalizers, or the objects in a namespace, are gone."""
    return found is not None and bool(found["metadata"].get("deletionTimestamp"))


def deletion_obstacles(manifest: Json, found: Json | None) -> list[str]:
    """What keeps an object that is being deleted, its finalizers or what the API server reports of a namespace, and the
    command that shows it. Empty while it only waits for the objects in a namespace to end.
    """
    if found is None or not is_being_deleted(found):
        return []
    finalizers = found["metadata"].get("finalizers") or []
    conditions = [each for each in (found.get("status") or {}).get("conditions") or () if each["status"] == "True"]
    reported = [each["message"] for each in conditions if each["type"] != CONTENT_REMAINING]
    if not finalizers and not reported:
        return []
    remaining = ", ".join(each["message"] for each in conditions if each["type"] == CONTENT_REMAINING)
    kinds = ",".join(REMAINING_KIND.findall(remaining))
    what = f"-n {manifest['metadata']['name']} {kinds}" if kinds else kubectl_arguments(manifest)
    texts = [*(f"finalizer {name} keeps it" for name in finalizers), *reported, remaining]
    return [*filter(None, texts), f"see what keeps it: kubectl get {what} -o yaml"]


def is_ours(manifest: Json, found: Json) -> bool:
    """Whether an object is the one that was created from the manifest, and not another one with its name."""
    if (manifest["metadata"].get("labels") or {}).get(MANAGED_BY) != FIELD_MANAGER:
        return True
    metadata = found["metadata"]
    applied = {each["manager"] for each in metadata.get("managedFields") or () if each.get("operation") == "Apply"}
    return FIELD_MANAGER in applied or (metadata.get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER


def whole_object(manifest: Json, found: Json) -> Json:
    """The object as declared, in place of the version that was found. What others may add to it is kept: labels,
    annotations, and the fields beside ours, such as the secrets of an account.
    """
    ours = OURS_ALONE.get(manifest["kind"], ())
    kept = {key: value for key, value in found.items() if key not in ours}
    metadata = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    for key in ("labels", "annotations"):
        theirs = {
            name: text for name, text in (metadata.get(key) or {}).items() if f"metadata.{key}.{name}" not in ours
        }
        metadata[key] = {**theirs, **(manifest["metadata"].get(key) or {})}
    return {**kept, **manifest, "metadata": metadata}


def object_differences(manifest: Json, found: Json | None) -> list[Difference]:
    """How an object differs from its manifest; empty if it is as declared."""
    title = title_of(manifest)
    if found is None:
        return [Difference(DriftClass.OBJECT_MISSING, "", title)]
    if is_being_deleted(found):
        texts = [f"{title} is being deleted", *(f"{title}: {text}" for text in deletion_obstacles(manifest, found))]
        return [Difference(DriftClass.OBJECT_MISSING, "", text) for text in texts]
    comparison = FieldComparison(manifest["kind"], found["metadata"].get("managedFields") or ())
    texts = []
    if not is_content_declared(manifest):
        texts = [] if has_named_program(manifest, found) else [OTHER_PROGRAM.format(manifest["metadata"]["namespace"])]
        found = {key: value for key, value in found.items() if key != "binaryData"}
    texts += comparison.differing(_compared(manifest), found)
    if len(texts) > MOST_LINES:
        texts = [*texts[:MOST_LINES], f"{len(texts) - MOST_LINES} more fields differ"]
    return [Difference(DriftClass.OBJECT_CHANGED, "", f"{title}: {text}") for text in texts]


@dataclass(frozen=True)
class Deviation:
    """An object that is not as declared."""

    manifest: Json
    found: Json | None
    differences: Sequence[Difference]


def deviations(cluster: Cluster, manifests: Sequence[Json]) -> tuple[list[Deviation], list[Forbidden]]:
    """The objects that are not as declared, and the errors of those that may not be read."""
    differing: list[Deviation] = []
    refused: list[Forbidden] = []
    for manifest, found in zip(manifests, read_objects(cluster, manifests), strict=True):
        if isinstance(found, Forbidden):
            refused.append(found)
        elif differences := object_differences(manifest, found):
            differing.append(Deviation(manifest, found, differences))
    return differing, refused


def parse_manifests(texts: Iterable[str]) -> list[Json]:
    """Manifests from their JSON texts, without keys that have no value."""
    return [_without_nulls(json.loads(text)) for text in texts]


def _compared(manifest: Json) -> Json:
    annotations = manifest["metadata"].get("annotations") or {}
    ours = {key: value for key, value in annotations.items() if not key.startswith(PULUMI_ANNOTATIONS)}
    metadata = {**manifest["metadata"], "annotations": ours}
    return {
        **{key: value for key, value in manifest.items() if key not in ("apiVersion", "kind")},
        "metadata": metadata,
    }


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value
