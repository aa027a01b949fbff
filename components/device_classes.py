"""A DeviceClass for each profile of the layouts, so that pods claim slices by their profile, and claim templates.

NVIDIA's DRA driver installs one class for all slices (``mig.nvidia.com``), with which each claim needs an expression of
its own to choose a profile.
"""

from collections.abc import Iterable
from typing import Any, Final, NotRequired, TypedDict

import pulumi

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.components.checked_args import check_args
from mig_fleet.components.kubernetes_object import KubernetesObject
from mig_fleet.components.layout_args import NamedLayoutArgs, parse_layouts
from mig_fleet.model.allocated_by import RESOURCE_API, class_selector, device_class
from mig_fleet.model.layouts import Layout
from mig_fleet.model.profiles import Profile

MANAGED: Final = {"app.kubernetes.io/managed-by": FIELD_MANAGER}


class DeviceClassesArgs(TypedDict):
    """The layouts whose slices pods may claim."""

    layouts: list[NamedLayoutArgs]
    """Each profile of these layouts gets a DeviceClass, ``mig-1g.10gb.mig-fleet.dev``."""
    claim_templates: NotRequired[list[str]]
    """Namespaces that get a ResourceClaimTemplate for each profile, ``mig-1g.10gb``; they must exist (default:
    none)."""


class DeviceClasses(pulumi.ComponentResource):
    """DeviceClasses of ``resource.k8s.io/v1``, which Kubernetes serves from 1.34 on; for clusters in which NVIDIA's DRA
    driver publishes the slices.
    """

    def __init__(self, name: str, args: DeviceClassesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_args(f"DeviceClasses '{name}'", args, DeviceClassesArgs)
        found = profiles(parse_layouts(args["layouts"], "layouts", f"DeviceClasses '{name}'"))
        super().__init__("mig-fleet:index:DeviceClasses", name, {}, opts)
        for profile in found:
            short = Profile.parse(profile).kubernetes
            metadata = {"name": device_class(profile), "labels": MANAGED}
            made = self._object(f"{name}-{short}", "DeviceClass", metadata, _class(profile))
            for namespace in args.get("claim_templates", ()):
                metadata = {"name": f"mig-{short}", "namespace": namespace, "labels": MANAGED}
                self._object(f"{name}-{namespace}-{short}", "ResourceClaimTemplate", metadata, _template(profile), made)
        self.register_outputs({})

    def _object(
        self, name: str, kind: str, metadata: dict[str, Any], spec: dict[str, Any], *after: pulumi.Resource
    ) -> KubernetesObject:
        opts = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        return KubernetesObject(name, RESOURCE_API, kind, metadata, opts, spec=spec)


def profiles(layouts: Iterable[Layout]) -> list[str]:
    """The profiles of all layouts, sorted."""
    return sorted({profile for layout in layouts for group in layout.groups for profile in group.profiles or ()})


def _class(profile: str) -> dict[str, Any]:
    return {"selectors": [{"cel": {"expression": class_selector(profile)}}]}


def _template(profile: str) -> dict[str, Any]:
    exactly = {"deviceClassName": device_class(profile), "allocationMode": "ExactCount", "count": 1}
    return {"spec": {"devices": {"requests": [{"name": "slice", "exactly": exactly}]}}}
