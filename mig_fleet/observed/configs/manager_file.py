"""Which layout file a MIG Manager reads: a path in its pod, and the ConfigMap that is mounted there. Pure.

The operator mounts ConfigMap ``migManager.config.name``, or its own (gpu-operator controllers/object_controls.go,
TransformMIGManager). From gpu-operator 26.3 on, a MIG Manager without ``CONFIG_FILE`` generates its file from NVML and
publishes it as ConfigMap ``<node>-mig-config`` (mig-parted cmd/nvidia-mig-manager/main.go, setupMigConfig).
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from mig_fleet.cluster.connection import Json
from mig_fleet.model import labels

FILE_VARIABLE = "CONFIG_FILE"
FILE = "/mig-parted-config/config.yaml"
"""The layout file in the manager's pod, unless its environment names another path (gpu-operator v26.7.0)."""

FALLBACK_VARIABLE = "DEFAULT_CONFIG_FILE"
"""The file that is read if none can be generated; a pod with it and without :data:`FILE_VARIABLE` generates one."""
GENERATED_FILE = "/etc/nvidia-mig-manager/generated-config.yaml"
GENERATED_SUFFIX = "-mig-config"

NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
"""Of a ConfigMap. The API server does not check it in a pod, and here it becomes part of requests and messages."""


def file_path(pod: Json) -> str:
    """The path of the layout file in the manager's pod."""
    variables = _variables(pod)
    if not variables.get(FILE_VARIABLE) and variables.get(FALLBACK_VARIABLE):
        return GENERATED_FILE
    return variables.get(FILE_VARIABLE) or FILE


def config_maps_read(pod: Json) -> list[str]:
    """The ConfigMaps that the manager takes its layout file from, the first one first; empty if that is not known."""
    variables = _variables(pod)
    if file_path(pod) != GENERATED_FILE:
        return _mounted(pod, file_path(pod))
    return [
        f"{pod['spec'].get('nodeName', '')}{GENERATED_SUFFIX}",
        *_mounted(pod, variables[FALLBACK_VARIABLE]),
    ]


def policy_config_map(policies: Iterable[Json] | None) -> str:
    """The ConfigMap that the ClusterPolicy names; empty if there is no policy, or it names none."""
    for policy in policies or ():
        config = ((policy.get("spec") or {}).get("migManager") or {}).get("config") or {}
        if NAME.fullmatch(name := str(config.get("name") or "")):
            return name
    return ""


def reads_layout_file(pod: Json) -> bool:
    """Whether the manager reads our ConfigMap; also if its mounts are not known."""
    found = config_maps_read(pod)
    return not found or found[0] == labels.LAYOUTS_CONFIG_MAP


def _variables(pod: Json) -> dict[str, str]:
    return {each["name"]: each["value"] for each in _container(pod).get("env") or [] if "value" in each}


def _container(pod: Json) -> Mapping[str, Any]:
    found: Mapping[str, Any] = pod["spec"]["containers"][0]
    return found


def _mounted(pod: Json, path: str) -> list[str]:
    """The ConfigMap of the volume that the file is on; the innermost mount wins."""
    parents = {str(parent) for parent in PurePosixPath(path).parents} | {path}
    mounts = [it for it in _container(pod).get("volumeMounts") or [] if it["mountPath"].rstrip("/") in parents]
    innermost = max(mounts, key=lambda mount: len(mount["mountPath"].rstrip("/")), default=None)
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    volume = volumes.get(innermost["name"], {}) if innermost else {}
    sources = [volume, *((volume.get("projected") or {}).get("sources") or [])]
    names = ((source.get("configMap") or {}).get("name") or "" for source in sources)
    return [name for name in names if NAME.fullmatch(name)]
