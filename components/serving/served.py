"""What the plugin serves to programs."""

from typing import Final

import pulumi

from mig_fleet.components.device_classes import DeviceClasses
from mig_fleet.components.fleet.component import Fleet
from mig_fleet.components.gpu_operator import GpuOperator
from mig_fleet.components.layouts import MigLayouts
from mig_fleet.components.monitoring import Monitoring
from mig_fleet.components.pool import Pool
from mig_fleet.components.probe import MigProbe

COMPONENTS: Final[tuple[type[pulumi.ComponentResource], ...]] = (
    DeviceClasses,
    Fleet,
    GpuOperator,
    MigLayouts,
    MigProbe,
    Monitoring,
    Pool,
)
