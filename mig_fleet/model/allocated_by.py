"""What allocates the slices of a cluster to pods, and the names under which pods ask for them.

================  ================================================  =================================================
allocated by      a pod asks for                                    what a node shows
================  ================================================  =================================================
device plugin     extended resources, ``nvidia.com/mig-1g.10gb``    allocatable resources of the node
DRA driver        ResourceClaims of a DeviceClass,                  ResourceSlices with one device for each slice and
                  ``mig-1g.10gb.mig-fleet.dev``                     each whole GPU
================  ================================================  =================================================

DRA is Kubernetes' Dynamic Resource Allocation (``resource.k8s.io/v1``). NVIDIA's driver names its devices' attributes
after itself (dra-driver-nvidia-gpu v0.4.1, cmd/gpu-kubelet-plugin/deviceinfo.go).
"""

import re
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from mig_fleet.model.dra.device import DRIVER, MIG
from mig_fleet.model.profiles import Profile
from mig_fleet.model.strategy import PerGpu, Strategy, allocatable, strategy_conflicts


class AllocatedBy(StrEnum):
    """Value of the setting ``operator.allocation``; one per cluster."""

    DEVICE_PLUGIN = "devicePlugin"
    DRA = "dra"


RESOURCE_API: Final = "resource.k8s.io/v1"
"""Served from Kubernetes 1.34 on."""

DRA_NAMESPACE: Final = "dra-driver-nvidia-gpu"
"""Where the driver's documentation installs its chart."""

WHOLE_GPU_CLASS: Final = "gpu.nvidia.com"
"""The DeviceClass of whole GPUs, which the chart of NVIDIA's DRA driver installs."""

MIG_CLASS: Final = "mig.nvidia.com"
"""The DeviceClass of all MIG devices, of that chart, too; a claim chooses a profile by a CEL expression."""

CLASS_SUFFIX: Final = ".mig-fleet.dev"


def device_class(profile: str) -> str:
    """The DeviceClass of a profile: a DNS name, as Kubernetes asks for.

    >>> device_class("1g.10gb+me")
    'mig-1g.10gb.me.mig-fleet.dev'
    """
    return f"mig-{Profile.parse(profile).kubernetes}{CLASS_SUFFIX}"


def class_profile(name: str) -> str:
    """The profile of one of our DeviceClasses in the spelling of Kubernetes; empty for another class."""
    if not (name.startswith("mig-") and name.endswith(CLASS_SUFFIX)):
        return ""
    return name.removeprefix("mig-").removesuffix(CLASS_SUFFIX)


def allocation_of(capacity: Iterable[str]) -> AllocatedBy:
    """What allocates the slices of a stack, by the names in its output ``capacity``."""
    is_class = any(class_profile(name) or name == WHOLE_GPU_CLASS for name in capacity)
    return AllocatedBy.DRA if is_class else AllocatedBy.DEVICE_PLUGIN


def class_selector(profile: str) -> str:
    """The CEL expression that selects the devices of a profile; the driver spells it as NVML does, ``1g.10gb+me``."""
    attributes = f"device.attributes['{DRIVER}']"
    name = str(Profile.parse(profile))
    return f"device.driver == '{DRIVER}' && {attributes}.type == 'mig' && {attributes}.profile == '{name}'"


_FACT: Final = re.compile(
    rf"""\s*device\.(?:attributes\[(["']){re.escape(DRIVER)}\1\]\.)?(driver|type|profile)\s*==\s*(["'])([^"']*)\3\s*"""
)
"""``device.driver == '…'``, or the same of the driver's attributes ``type`` and ``profile``."""


def selected_profile(expression: str) -> str:
    """The profile of the MIG devices that a CEL expression selects, in the driver's spelling; empty for an expression
    that says anything else, too.

    >>> selected_profile("device.attributes['gpu.nvidia.com'].profile == '1g.10gb'")
    '1g.10gb'
    >>> selected_profile("device.attributes['gpu.nvidia.com'].profile != '1g.10gb'")
    ''
    """
    selected = {"driver": DRIVER, "type": MIG, "profile": ""}
    for part in expression.split("&&"):
        fact = _FACT.fullmatch(part)
        if fact is None or selected[fact[2]] not in ("", fact[4]):
            return ""
        selected[fact[2]] = fact[4]
    return selected["profile"]


def offered(by: AllocatedBy, strategy: Strategy, per_gpu: PerGpu) -> dict[str, int]:
    """What pods may ask for on a node, by name, sorted and without zeros: extended resources, or DeviceClasses."""
    if by is AllocatedBy.DEVICE_PLUGIN:
        return allocatable(strategy, per_gpu)
    found: Counter[str] = Counter()
    for profiles in per_gpu:
        if profiles is None:
            found[WHOLE_GPU_CLASS] += 1
        for profile, count in (profiles or {}).items():
            found[device_class(profile)] += count
    return {name: found[name] for name in sorted(found) if found[name]}


def offer_conflicts(by: AllocatedBy, strategy: Strategy, per_gpu: PerGpu) -> tuple[str, ...]:
    """Why the slices of a node could not be allocated, as sentences; empty if they can.

    Under DRA a device that is only a part of its GPU instance ends the plugin of its node ("error getting profile
    info", dra-driver-nvidia-gpu v0.4.1).
    """
    if by is AllocatedBy.DEVICE_PLUGIN:
        return strategy_conflicts(strategy, per_gpu)
    names = sorted({name for profiles in per_gpu for name in profiles or ()})
    return tuple(
        f"{name} is part of a GPU instance, and one such device ends the DRA driver's plugin of its node"
        for name in names
        if Profile.parse(name).is_split
    )
