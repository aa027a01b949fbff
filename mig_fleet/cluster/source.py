"""Where the connection to a cluster comes from: a file, the contents of one, or the service account of the own pod."""

import hashlib
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from os import environ
from pathlib import Path
from typing import Any

from mig_fleet.cluster.errors import ClusterUnreachable, NoCredentials
from mig_fleet.cluster.in_cluster import runs_in_pod, service_account_kubeconfig
from mig_fleet.cluster.kubeconfig_path import contents_of, kubeconfig_path


@dataclass(frozen=True, slots=True)
class Source:
    """A kubeconfig; either its path, or its contents."""

    place: str
    """For messages; it has no part of the contents."""
    key: Hashable
    """Equal for the same file in the same state, and for the same contents."""
    path: str = ""
    contents: str = field(default="", repr=False)


def source_of(where: Mapping[str, Any]) -> Source:
    """Without a kubeconfig it is `~/.kube/config`, or the service account of the pod if that file does not exist: what
    client-go does, and so Pulumi's Kubernetes provider.

    Raises :class:`~mig_fleet.cluster.errors.ClusterUnreachable` for a list of kubeconfigs and for ``inCluster`` outside
    of a pod.
    """
    declared = where.get("kubeconfig")
    if where.get("inCluster"):
        try:
            return _of_contents("the service account of this pod", service_account_kubeconfig())
        except NoCredentials as exc:
            raise NoCredentials(f"cluster.inCluster {exc}") from None
    if declared and (contents := contents_of(declared)):
        return _of_contents("the contents of cluster.kubeconfig", contents)
    try:
        path = kubeconfig_path(declared) or str(Path.home() / ".kube" / "config")
    except ValueError as exc:
        raise ClusterUnreachable(f"no usable kubeconfig: {exc}") from None
    changed = 0
    with suppress(OSError, ValueError):
        changed = Path(path).stat().st_mtime_ns
    is_named = declared or environ.get("KUBECONFIG") or where.get("context")
    if not (changed or is_named) and runs_in_pod():
        return _of_contents("the service account of this pod", service_account_kubeconfig())
    return Source(path, (path, changed), path=path)


def _of_contents(place: str, contents: str) -> Source:
    return Source(place, hashlib.sha256(contents.encode()).hexdigest(), contents=contents)
