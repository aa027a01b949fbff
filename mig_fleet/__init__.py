"""mig-fleet: NVIDIA MIG layouts for Kubernetes as reviewed code, in Pulumi.

The public names are loaded at first use, so that the probe and the command line do not import Pulumi.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mig_fleet.components.device_classes import DeviceClasses
    from mig_fleet.components.fleet import Fleet
    from mig_fleet.components.gpu_operator import GpuOperator
    from mig_fleet.components.layouts import MigLayouts
    from mig_fleet.components.monitoring import Monitoring
    from mig_fleet.components.owner import ClusterOwner
    from mig_fleet.components.pool import Pool
    from mig_fleet.components.probe import MigProbe
    from mig_fleet.components.refused import FleetRefused
    from mig_fleet.model.layouts import Layout

__all__ = [
    "ClusterOwner",
    "DeviceClasses",
    "Fleet",
    "FleetRefused",
    "GpuOperator",
    "Layout",
    "MigLayouts",
    "MigProbe",
    "Monitoring",
    "Pool",
]

_MODULES = {
    "ClusterOwner": "mig_fleet.components.owner",
    "DeviceClasses": "mig_fleet.components.device_classes",
    "Fleet": "mig_fleet.components.fleet",
    "FleetRefused": "mig_fleet.components.refused",
    "GpuOperator": "mig_fleet.components.gpu_operator",
    "Layout": "mig_fleet.model.layouts",
    "MigLayouts": "mig_fleet.components.layouts",
    "MigProbe": "mig_fleet.components.probe",
    "Monitoring": "mig_fleet.components.monitoring",
    "Pool": "mig_fleet.components.pool",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(_unknown(name), name=name)
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _unknown(name: str) -> str:
    # Not mig_fleet.model.suggestions: it would load the whole model for a misspelled name.
    import difflib

    near = difflib.get_close_matches(name, __all__, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"public names: {', '.join(__all__)}"
    return f"module '{__name__}' has no attribute '{name}'; {hint}"
