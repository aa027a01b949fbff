"""What MIG Manager understands only from a version on, and the first chart of the GPU Operator with that version."""

import re
from dataclasses import dataclass
from typing import Final

from mig_fleet.model.profiles import Profile


@dataclass(frozen=True, slots=True)
class Since:
    """A version of MIG Manager, and the first chart of the GPU Operator with it."""

    manager: str
    chart: str

    def __str__(self) -> str:
        return f"MIG Manager v{self.manager} (GPU Operator v{self.chart})"


SUFFIXES: Final = Since("0.12.3", "25.3.3")
"""For ``+gfx``, ``+me.all`` and ``-me``: go-nvlib has these names from v0.7.4 on (pkg/nvlib/device/mig_profile.go), and
mig-parted v0.12.3 is the first with it (go.mod at each tag; gpu-operator deployments/gpu-operator/values.yaml)."""

BOARD_FILTERS: Final = Since("0.15.0", "26.7.0")
"""For a device filter with a subsystem id (mig-parted CHANGELOG, v0.15.0). Before, the filter cannot be parsed and the
error is dropped (v0.14.5, api/spec/v1/helpers.go, ``newDeviceID, _ :=``), so it matches no GPU."""

LOWEST_CHART: Final = "23.6.0"
"""The first chart whose ClusterPolicy has all that mig-fleet sets; the last of it is ``serviceMonitor.relabelings`` of
dcgm-exporter (gpu-operator deployments/gpu-operator/values.yaml at each tag)."""

_NEWER = frozenset({"gfx", "me.all"})
_VERSION = re.compile(r"v?(\d{1,5})\.(\d{1,5})\.(\d{1,5})(?![\d.])")


def needs_newer_manager(profile: str) -> bool:
    """Whether MIG Managers before :data:`SUFFIXES` do not know the profile. Raises InvalidProfile."""
    suffix = str(Profile.parse(profile)).partition("gb")[2]
    return suffix.startswith("-") or not _NEWER.isdisjoint(suffix[1:].split(","))


def is_older(version: str, than: str) -> bool:
    """Whether a version, such as ``v24.3.0`` or ``v0.12.1-ubuntu20.04``, is older; no if it is none."""
    has, least = _numbers(version), _numbers(than)
    return bool(has) and has < least


def _numbers(version: str) -> tuple[int, ...]:
    found = _VERSION.match(version)
    return tuple(map(int, found.groups())) if found else ()
