"""Who manages an object of the cluster, by the marks that tools leave on it. Pure.

===================  ================================================================================================
owner                mark, and its source
===================  ================================================================================================
OLM                  an owner of kind ClusterServiceVersion, or the labels ``olm.owner`` (operator-lifecycle-manager,
                     pkg/lib/ownerutil)
Argo CD              annotation ``argocd.argoproj.io/tracking-id``, or the label ``app.kubernetes.io/instance`` or
                     ``argocd.argoproj.io/instance`` with the name of an Application (Argo CD, Resource Tracking)
Flux                 labels ``helm.toolkit.fluxcd.io/name``, ``kustomize.toolkit.fluxcd.io/name`` (fluxcd.io)
EKS add-on           field manager ``eks`` (Amazon EKS, Determine fields you can customize)
add-on manager       label ``addonmanager.kubernetes.io/mode: Reconcile`` (kubernetes, cluster/addons/addon-manager)
Pulumi               label ``app.kubernetes.io/managed-by: pulumi``
Helm                 annotations ``meta.helm.sh/release-name`` and ``-namespace`` (helm v3.20, pkg/action/validate.go)
===================  ================================================================================================

Argo CD and Flux install charts of Helm too, so their marks are looked for first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from mig_fleet.model.short_repr import format_value

INSTANCE_LABELS: Final = ("argocd.argoproj.io/instance", "app.kubernetes.io/instance")


class OwnerKind(StrEnum):
    """The tool that manages an object, as messages name it."""

    OLM = "OLM's ClusterServiceVersion"
    ARGO_CD = "Argo CD application"
    FLUX = "Flux object"
    EKS = "EKS add-on"
    ADDON_MANAGER = "add-on manager of the cluster"
    HELM = "Helm release"
    RENDERED = "tool that renders the Helm chart, such as Argo CD in another cluster, for release"
    PULUMI = "Pulumi program"
    OTHER = "tool"


@dataclass(frozen=True, slots=True)
class ObjectOwner:
    """The tool, and the name of the tool's own object, empty if the mark does not have it."""

    kind: OwnerKind
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        name = f" {format_value(self.name)}" if self.name else ""
        return f"{self.kind}{name}" + (f" in namespace {format_value(self.namespace)}" if self.namespace else "")


def owner_of(metadata: Mapping[str, Any], applications: Mapping[str, str]) -> ObjectOwner | None:
    """The owner by an object's metadata; None if there is no mark. ``applications`` maps the name of each Argo CD
    Application to its namespace.
    """
    labels = _texts(metadata.get("labels"))
    annotations = _texts(metadata.get("annotations"))
    return (
        _olm(labels, metadata)
        or _argo_cd(labels, annotations, applications)
        or _flux(labels)
        or _add_on(labels, metadata)
        or _program(labels, annotations)
    )


def _olm(labels: Mapping[str, str], metadata: Mapping[str, Any]) -> ObjectOwner | None:
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == "ClusterServiceVersion":
            return ObjectOwner(OwnerKind.OLM, str(owner.get("name", "")), str(metadata.get("namespace", "")))
    if labels.get("olm.owner.kind") == "ClusterServiceVersion" or "olm.owner" in labels:
        return ObjectOwner(OwnerKind.OLM, labels.get("olm.owner", ""), labels.get("olm.owner.namespace", ""))
    return None


def _argo_cd(
    labels: Mapping[str, str], annotations: Mapping[str, str], applications: Mapping[str, str]
) -> ObjectOwner | None:
    tracked = annotations.get("argocd.argoproj.io/tracking-id", "").partition(":")[0]
    # An application outside Argo CD's namespace is tracked as NAMESPACE_NAME (Argo CD, Applications in any namespace).
    known = (name for name in (tracked.rpartition("_")[2], tracked) if name in applications)
    if tracked:
        name = next(known, tracked)
        return ObjectOwner(OwnerKind.ARGO_CD, name, applications.get(name, ""))
    for key in INSTANCE_LABELS:
        if (name := labels.get(key, "")) in applications:
            return ObjectOwner(OwnerKind.ARGO_CD, name, applications[name])
    return None


def _flux(labels: Mapping[str, str]) -> ObjectOwner | None:
    for prefix in ("helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"):
        if f"{prefix}/name" in labels:
            return ObjectOwner(OwnerKind.FLUX, labels[f"{prefix}/name"], labels.get(f"{prefix}/namespace", ""))
    return None


def _add_on(labels: Mapping[str, str], metadata: Mapping[str, Any]) -> ObjectOwner | None:
    if any(entry.get("manager") == "eks" for entry in metadata.get("managedFields") or ()):
        return ObjectOwner(OwnerKind.EKS)
    if labels.get("addonmanager.kubernetes.io/mode") == "Reconcile":
        return ObjectOwner(OwnerKind.ADDON_MANAGER)
    return None


def _program(labels: Mapping[str, str], annotations: Mapping[str, str]) -> ObjectOwner | None:
    by = labels.get("app.kubernetes.io/managed-by", "")
    if by.casefold() == "pulumi":
        return ObjectOwner(OwnerKind.PULUMI)
    if name := annotations.get("meta.helm.sh/release-name"):
        return ObjectOwner(OwnerKind.HELM, name, annotations.get("meta.helm.sh/release-namespace", ""))
    if by == "Helm":
        # Helm itself writes the annotations too, since 3.2.
        return ObjectOwner(OwnerKind.RENDERED, labels.get("app.kubernetes.io/instance", ""))
    return ObjectOwner(OwnerKind.OTHER, by) if by else None


def _texts(found: Any) -> dict[str, str]:
    return {key: value for key, value in (found or {}).items() if isinstance(value, str)}
