"""The fields of an object that differ from its manifest: other values, missing ones, and ones that others added.

An added field counts only where nothing but a user adds one (:data:`OURS_ALONE`). Elsewhere the API server writes
defaults, and webhooks and controllers of the cluster write theirs.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mig_fleet.cluster.connection import Json
from mig_fleet.model.short_repr import format_value

_POD: Final = "spec.template.spec"
OURS_ALONE: Final = {
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
    "DaemonSet": (
        f"{_POD}.nodeSelector",
        f"{_POD}.affinity",
        f"{_POD}.tolerations",
        f"{_POD}.volumes",
        f"{_POD}.initContainers",
        f"{_POD}.schedulerName",
        f"{_POD}.hostNetwork",
        f"{_POD}.hostPID",
        f"{_POD}.hostIPC",
        f"{_POD}.containers.args",
        f"{_POD}.containers.envFrom",
        f"{_POD}.containers.lifecycle",
        f"{_POD}.containers.livenessProbe",
        f"{_POD}.containers.startupProbe",
    ),
}
"""Kind → paths at and below which an object has what its manifest declares, and nothing else."""

DEFAULTS: Final = {
    "defaultMode": 420,
    "matchPolicy": "Equivalent",
    "schedulerName": "default-scheduler",
    "scope": "*",
}
"""What the API server adds there (kubernetes v1.37.2, pkg/apis/core/v1/defaults.go and
pkg/apis/admissionregistration/v1/defaults.go), apart from empty objects and lists."""

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
                    yield from self._added(there[key], _below(path, key), key)
        elif isinstance(declared, list):
            yield from self._differing_items(declared, found if isinstance(found, list) else [], path)
        elif declared != found and not (found is None and declared in ("", 0, False)):
            # The API server omits empty values.
            text = "is missing" if found is None else f"is {_format(found)}"
            yield f"{path} {text}, expected {_format(declared)}"

    def _added(self, found: Any, path: str, key: str) -> Iterator[str]:
        """A field that the manifest does not declare."""
        where = re.sub(r"\[[^]]*]", "", path)
        if not any(where == ours or where.startswith(f"{ours}.") for ours in OURS_ALONE.get(self.kind, ())):
            return
        if key in KEYS:
            yield from self._differing_items([], found, path)
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
