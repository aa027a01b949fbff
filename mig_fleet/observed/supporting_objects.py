"""Our own objects in the cluster, compared with their manifests: RBAC, DaemonSet, admission policy, namespaces, rules.

Pulumi compares a Kubernetes resource with its state and not with the cluster, unless a user adds `--refresh`. So a
plain preview does not see that another user deleted or changed such an object.

Only what a manifest declares is compared: what the API server adds by default, and what other controllers add, is no
difference.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from mig_fleet.cluster.client import Cluster, Json
from mig_fleet.cluster.errors import Forbidden, NotFound
from mig_fleet.model.short_repr import format_value
from mig_fleet.observed.drift import Difference, DriftClass

PARALLEL_READS: Final = 8

KEYS: Final = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
}
"""Lists to which other controllers may add items, for example a sidecar → the key of an item. Any other list is as
declared or differs: an additional rule of a role is an additional right."""

PULUMI_ANNOTATIONS: Final = "pulumi.com/"
"""Annotations that control Pulumi's Kubernetes provider; not compared."""

LONGEST_TEXT: Final = 140

MOST_LINES: Final = 3
"""Fields of one object in a preview."""


def path_of(manifest: Json) -> str:
    """The path of an object at the API server."""
    version, metadata, kind = manifest["apiVersion"], manifest["metadata"], manifest["kind"].lower()
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    namespace = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
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
    """Whether more than the metadata is compared. The probe's program has no data in its manifest, because a preview
    would read 300 KB each time; its name has a hash, and the ConfigMap is immutable.
    """
    return manifest["kind"] != "ConfigMap" or "data" in manifest


def read_objects(cluster: Cluster, manifests: Sequence[Json]) -> list[Json | Forbidden | None]:
    """Each object as it is now, in parallel; ``None`` is a missing one, ``Forbidden`` one that may not be read.

    Raises other :class:`~mig_fleet.cluster.errors.ClusterError`.
    """

    def one(manifest: Json) -> Json | Forbidden | None:
        get = cluster.get if is_content_declared(manifest) else cluster.metadata
        try:
            return get(path_of(manifest))
        except NotFound:
            return None
        except Forbidden as exc:
            return exc

    with ThreadPoolExecutor(PARALLEL_READS) as executor:
        return list(executor.map(one, manifests))


def is_being_deleted(found: Json | None) -> bool:
    """Whether an object exists only until its finalizers, or the objects in a namespace, are gone."""
    return found is not None and bool(found["metadata"].get("deletionTimestamp"))


def object_differences(manifest: Json, found: Json | None) -> list[Difference]:
    """How an object differs from its manifest; empty if it is as declared."""
    title = title_of(manifest)
    if found is None:
        return [Difference(DriftClass.OBJECT_MISSING, "", title)]
    if is_being_deleted(found):
        return [Difference(DriftClass.OBJECT_MISSING, "", f"{title} is being deleted")]
    texts = list(_differing(_compared(manifest), found, ""))
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
    if not is_content_declared(manifest):
        manifest = {"metadata": manifest["metadata"]}
    annotations = manifest["metadata"].get("annotations") or {}
    ours = {key: value for key, value in annotations.items() if not key.startswith(PULUMI_ANNOTATIONS)}
    metadata = {**manifest["metadata"], "annotations": ours}
    return {
        **{key: value for key, value in manifest.items() if key not in ("apiVersion", "kind")},
        "metadata": metadata,
    }


def _differing(declared: Any, found: Any, path: str) -> Iterator[str]:
    """One text per difference, with the field's path."""
    if isinstance(declared, dict):
        there = found if isinstance(found, dict) else {}
        for key, value in declared.items():
            yield from _differing(value, there.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(declared, list):
        yield from _differing_items(declared, found if isinstance(found, list) else [], path)
    elif declared != found and not (found is None and declared in ("", 0, False)):
        # The API server omits empty values.
        text = "is missing" if found is None else f"is {_format(found)}"
        yield f"{path} {text}, expected {_format(declared)}"


def _differing_items(declared: list[Any], found: list[Any], path: str) -> Iterator[str]:
    key = KEYS.get(path.rpartition(".")[2])
    if key is not None:
        by_key = {item.get(key): item for item in found if isinstance(item, dict)}
        for item in declared:
            yield from _differing(item, by_key.get(item[key]), f"{path}[{item[key]}]")
    elif len(declared) != len(found):
        yield f"{path} is {format_value(found)}, expected {format_value(declared)}"
    else:
        for index, (item, there) in enumerate(zip(declared, found, strict=True)):
            yield from _differing(item, there, f"{path}[{index}]")


def _format(value: Any) -> str:
    """A value in a message; an image with its digest is complete, although `pulumi preview` shows 150 characters of a
    property.
    """
    return repr(value) if isinstance(value, str) and len(value) <= LONGEST_TEXT else format_value(value)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value
