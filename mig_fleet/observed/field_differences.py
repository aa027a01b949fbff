"""The fields of an object that differ from its manifest: other values, missing ones, and ones that others added.

An added field counts where nothing but a user adds one (:data:`OURS_ALONE`), unless it is a default of the API server
(:data:`DEFAULTS`). Elsewhere webhooks and controllers of the cluster add theirs.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mig_fleet.cluster.connection import Json
from mig_fleet.model.short_repr import format_value

_POD: Final = "spec.template.spec"
_ENFORCED: Final = "pod-security.kubernetes.io/enforce"
OURS_ALONE: Final = {
    "Namespace": (f"metadata.labels.{_ENFORCED}", f"metadata.labels.{_ENFORCED}-version"),
    "ClusterRole": ("rules", "aggregationRule"),
    "Role": ("rules",),
    "ClusterRoleBinding": ("roleRef", "subjects"),
    "RoleBinding": ("roleRef", "subjects"),
    # Image pull secrets are not ours: OpenShift adds some to each account.
    "ServiceAccount": ("automountServiceAccountToken",),
    "ConfigMap": ("data", "binaryData", "immutable"),
    "ValidatingAdmissionPolicy": ("spec",),
    "ValidatingAdmissionPolicyBinding": ("spec",),
    "PrometheusRule": ("spec.groups",),
    "NodeFeatureRule": ("spec.rules",),
    "DaemonSet": ("spec",),
    "DeviceClass": ("spec",),
    "ResourceClaimTemplate": ("spec",),
}
"""Kind → paths at and below which an object has what its manifest declares, and nothing else."""

OPEN_FIELDS: Final = (
    "spec.template.metadata",
    f"{_POD}.imagePullSecrets",
    # An old name of serviceAccountName; the API server writes it (kubernetes v1.37.2, pkg/apis/core/v1/conversion.go).
    f"{_POD}.serviceAccount",
)
"""Paths below those of a DaemonSet at which others may add fields: `kubectl rollout restart` writes an annotation."""

DEFAULTS: Final = {
    "apiVersion": "v1",
    "defaultMode": 420,
    "dnsPolicy": "ClusterFirst",
    "matchPolicy": "Equivalent",
    "maxSurge": 0,
    "restartPolicy": "Always",
    "revisionHistoryLimit": 10,
    "schedulerName": "default-scheduler",
    "scope": "*",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    f"{_ENFORCED}-version": "latest",
}
"""What the API server adds there (kubernetes v1.37.2, defaults.go in pkg/apis/core/v1, pkg/apis/apps/v1 and
pkg/apis/admissionregistration/v1), apart from empty objects and lists, and from :func:`_pull_policy`."""

KEYS: Final = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
}
"""Lists whose items have a name → the key with that name."""

OPEN_LISTS: Final = frozenset({"env", "volumes", "volumeMounts"})
"""Those to which others may add items: a proxy, or certificates. A list without names is as declared or differs: an
additional rule of a role is an additional right."""

LONGEST_TEXT: Final = 140


@dataclass(frozen=True)
class FieldComparison:
    """Compares an object of one kind with its manifest."""

    kind: str
    managed_fields: Sequence[Json] = ()
    """``metadata.managedFields`` of the object that was found."""

    def differing(self, declared: Any, found: Any, path: str = "") -> Iterator[str]:
        """One text per difference, with the field's path."""
        if isinstance(declared, dict):
            there = found if isinstance(found, dict) else {}
            for key, value in declared.items():
                yield from self.differing(value, there.get(key), _below(path, key))
            for key in there:
                if key not in declared:
                    yield from self._added(there[key], _below(path, key), key, declared)
        elif isinstance(declared, list):
            yield from self._differing_items(declared, found if isinstance(found, list) else [], path)
        elif declared != found and not (found is None and declared in ("", 0, False)):
            # The API server omits empty values.
            text = "is missing" if found is None else f"is {_format(found)}"
            yield f"{path} {text}, expected {_format(declared)}"

    def _added(self, found: Any, path: str, key: str, beside: Json) -> Iterator[str]:
        """A field that the manifest does not declare; ``beside`` is what it declares there."""
        where = re.sub(r"\[[^]]*]", "", path)
        if not _is_below(where, OURS_ALONE.get(self.kind, ())) or _is_below(where, OPEN_FIELDS):
            return
        if key in KEYS:
            yield from self._differing_items([], found, path)
        elif key == "imagePullPolicy" and found == _pull_policy(beside.get("image", "")):
            return
        elif not _is_default(key, found):
            yield f"{path} is {_format(found)}, expected no such field"

    def _differing_items(self, declared: list[Any], found: list[Any], path: str) -> Iterator[str]:
        name = path.rpartition(".")[2]
        key = KEYS.get(name)
        if key is not None:
            by_key = {item.get(key): item for item in found if isinstance(item, dict)}
            for item in declared:
                yield from self.differing(item, by_key.pop(item[key], None), f"{path}[{item[key]}]")
            for other in () if name in OPEN_LISTS else by_key:
                if self._has_writer(path, key, other):
                    yield f"{path}[{other}] is added, expected {format_value([item[key] for item in declared])}"
        elif len(declared) != len(found):
            yield f"{path} is {format_value(found)}, expected {format_value(declared)}"
        else:
            for index, (item, there) in enumerate(zip(declared, found, strict=True)):
                yield from self.differing(item, there, f"{path}[{index}]")

    def _has_writer(self, path: str, key: str, name: Any) -> bool:
        """Whether a client wrote an item of a list; yes, if that is not recorded.

        What a webhook adds to a write, such as a sidecar, has no field manager: the API server records managers before
        it calls webhooks (kubernetes v1.37.2, apiserver pkg/endpoints/handlers/update.go and patch.go).
        """
        steps = [f"f:{part}" for part in path.split(".")]
        steps.append(f"k:{json.dumps({key: name}, separators=(',', ':'))}")
        written = (each.get("fieldsV1") or {} for each in self.managed_fields)
        return not self.managed_fields or any(_has(fields, steps) for fields in written)


def _has(fields: Json, steps: Iterable[str]) -> bool:
    for step in steps:
        if step not in fields:
            return False
        fields = fields[step]
    return True


def _below(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path is one of the roots or below one."""
    return any(path == root or path.startswith(f"{root}.") for root in roots)


def _pull_policy(image: str) -> str:
    """The default ``imagePullPolicy`` of an image (kubernetes v1.37.2, SetDefaults_Container)."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag == "latest" or not (tag or digest) else "IfNotPresent"


def _is_default(key: str, value: Any) -> bool:
    """Whether a value is what the API server writes without a request. A false or an empty text may be a choice."""
    if isinstance(value, dict):
        return all(_is_default(inner, each) for inner, each in value.items())
    return value is None or value == [] or DEFAULTS.get(key) == value


def _format(value: Any) -> str:
    """A value in a message; an image with its digest is complete, although `pulumi preview` shows 150 characters of a
    property.
    """
    return repr(value) if isinstance(value, str) and len(value) <= LONGEST_TEXT else format_value(value)
