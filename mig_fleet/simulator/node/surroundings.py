"""What the fleet provides to the parts of its nodes."""

from dataclasses import dataclass
from pathlib import Path

from mig_fleet.simulator.api import Api
from mig_fleet.simulator.fleet_file import FleetFile, Timing
from mig_fleet.simulator.informer import Informer
from mig_fleet.simulator.node.config_maps import ConfigMaps
from mig_fleet.simulator.tasks import Spawn


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One value for all nodes. A part of a node reaches the cluster only through it and knows no other node."""

    directory: Path
    """The fleet's folder; a node's files are in ``nodes/<name>`` below it."""
    fleet_file: FleetFile
    """The versions of the driver and the durations; its list of nodes is the one at the start of the fleet."""
    api: Api
    nodes: Informer
    """All Node objects."""
    config_maps: ConfigMaps
    spawn: Spawn
    """Starts a background task that ends with the fleet at the latest."""

    @property
    def timing(self) -> Timing:
        return self.fleet_file.timing
