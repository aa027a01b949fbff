"""A whole fleet as one component: everything that a stack file describes."""

from mig_fleet.components.fleet.args import FleetArgs
from mig_fleet.components.fleet.component import Fleet

__all__ = ["Fleet", "FleetArgs"]
