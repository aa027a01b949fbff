"""Which file the kubeconfig is. mig-fleet and Pulumi's Kubernetes provider must read the same one.

kubectl merges the files of a list ``a:b`` in ``$KUBECONFIG``. The provider reads one file, and takes a text that is no
path of a file for the contents (pulumi-kubernetes v4.25.0, provider/pkg/provider/config.go).
"""

import base64
import binascii
import os
from pathlib import Path

from mig_fleet.confidential import is_contents


def kubeconfig_path(declared: str | None) -> str | None:
    """``declared``, else ``$KUBECONFIG``, with ``~`` expanded; ``None`` without both. Of a list it is the only file
    that exists. Raises :class:`ValueError`.
    """
    text = declared or os.environ.get("KUBECONFIG") or ""
    subject = "it" if declared else "the variable KUBECONFIG"
    if is_contents(text):
        raise ValueError(f"{subject} must be a path to a kubeconfig, not its contents")
    # Path.expanduser raises an error for an unknown user.
    paths = [os.path.expanduser(each) for each in text.split(os.pathsep) if each]  # noqa: PTH111
    if len(paths) <= 1:
        return paths[0] if paths else None
    existing = [path for path in paths if Path(path).is_file()]
    if len(existing) == 1:
        return existing[0]
    merge = "write one with `kubectl config view --flatten --raw > FILE` and set cluster.kubeconfig to FILE"
    raise ValueError(f"{subject} is a list of {len(paths)} files and must be one; {merge}")


def contents_of(kubeconfig: str) -> str | None:
    """The contents of a kubeconfig as YAML or JSON, also from base64, as Azure's API returns them; None for a path."""
    if not is_contents(kubeconfig):
        return None
    try:
        return base64.b64decode(kubeconfig, validate=True).decode()
    except (binascii.Error, ValueError):
        return kubeconfig
