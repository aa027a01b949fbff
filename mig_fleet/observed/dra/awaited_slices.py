"""Which slices an unscheduled pod waits for, by those of its ResourceClaims that are not allocated yet. Pure.

=================================================  ==============================================
a request for                                      counts as
=================================================  ==============================================
a DeviceClass of ours, ``mig-…mig-fleet.dev``      as many slices of that profile
``gpu.nvidia.com``                                 as many whole GPUs
``mig.nvidia.com`` with an expression that         as many slices of that profile
selects a profile and nothing else
anything else: other classes, alternatives,        nothing
mode ``All``, administrative access
=================================================  ==============================================

Further conditions, such as constraints, capacities and the expressions of other requests, count as satisfied. A claim
is known only once it exists: the control plane soon makes that of a template, or never where the template is missing,
and the scheduler tries no pod before (kubernetes v1.37.2 pkg/scheduler/framework/plugins/dynamicresources,
``PreEnqueue``).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mig_fleet.cluster.connection import Json
from mig_fleet.foreign_text import printable
from mig_fleet.model.allocated_by import MIG_CLASS, WHOLE_GPU_CLASS, class_profile, selected_profile
from mig_fleet.model.labels import GPU_RESOURCE, RESOURCE_PREFIX
from mig_fleet.observed.dra.objects import DeviceRequest, Exactly, ResourceClaimObject

ClaimName = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class AwaitedSlices:
    """What one claim or all claims of a pod ask for."""

    resources: Mapping[str, int]
    """Under the names that the device plugin gives such devices → count."""
    is_all: bool = True
    """Whether nothing else is asked for: then slices are what a pod lacks whose claims cannot be allocated."""

    @classmethod
    def of_claim(cls, claim: ResourceClaimObject) -> "AwaitedSlices":
        """Nothing for a claim that is allocated: its pod waits for the node of that device."""
        if claim.status.allocation is not None:
            return NOTHING_KNOWN
        devices, found = claim.spec.devices, Counter[str]()
        is_all = not devices.constraints
        for request in devices.requests or ():
            resource, is_plain = _asked(request)
            is_all &= is_plain
            if resource and request.exactly:
                found[resource] += request.exactly.count
        return cls(found, is_all)


NOTHING_KNOWN = AwaitedSlices({}, is_all=False)
"""Of a claim that cannot be read, does not exist yet, or is allocated."""


def awaited_slices(pods: Iterable[Json], claims: Mapping[ClaimName, AwaitedSlices]) -> dict[str, AwaitedSlices]:
    """UID of an unscheduled pod → the slices that it waits for; a pod that waits for none is left out. A claim that
    several pods share counts for the first of them: one allocation serves all.
    """
    counted, found = set[ClaimName](), dict[str, AwaitedSlices]()
    for pod in pods:
        if pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
            continue
        names = _claim_names(pod)
        parts = [NOTHING_KNOWN if name in counted else claims.get(name, NOTHING_KNOWN) for name in names]
        counted |= {*names}
        resources = sum((Counter(each.resources) for each in parts), Counter[str]())
        if resources:
            found[pod["metadata"].get("uid", "")] = AwaitedSlices(resources, all(each.is_all for each in parts))
    return found


def _claim_names(pod: Json) -> list[ClaimName]:
    """The claims that a pod names, and those made of its templates; without a name in the place of one that is not made
    yet. A template of which the status says that no claim is needed has none (core/v1, ``PodResourceClaimStatus``).
    """
    namespace, names = pod["metadata"]["namespace"], list[str]()
    made = {it["name"]: it for it in (pod.get("status") or {}).get("resourceClaimStatuses") or ()}
    for given in pod["spec"].get("resourceClaims") or ():
        name = given.get("resourceClaimName") or made.get(given["name"], {}).get("resourceClaimName") or ""
        if name or given["name"] not in made:
            names.append(name)
    return [(namespace, name) for name in names]


def _asked(request: DeviceRequest) -> tuple[str, bool]:
    """The resource, empty if it is none of those above; and whether it is all that is asked for."""
    exactly = request.exactly
    if exactly is None or exactly.allocation_mode != "ExactCount" or exactly.admin_access:
        return "", False
    others = bool(exactly.capacity or exactly.derived_attributes)
    if exactly.device_class_name == MIG_CLASS:
        profile = _selected(exactly)
        return (RESOURCE_PREFIX + profile.replace("+", ".") if profile else ""), bool(profile) and not others
    profile = class_profile(exactly.device_class_name)
    whole = GPU_RESOURCE if exactly.device_class_name == WHOLE_GPU_CLASS else ""
    resource = RESOURCE_PREFIX + printable(profile) if profile else whole
    return resource, bool(resource) and not others and not exactly.selectors


def _selected(request: Exactly) -> str:
    """The profile that a request for any MIG device selects; empty if that is not certain."""
    expressions = [each.cel.expression if each.cel else "" for each in request.selectors or ()]
    return printable(selected_profile(expressions[0])) if len(expressions) == 1 else ""
