"""A real control plane with simulated GPU nodes, and faults to inject into them."""

from pathlib import Path
from typing import Final

from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.fleet import Fleet
from mig_fleet.simulator.running import Status

CHARTS: Final = Path(__file__).parent / "charts"
"""Folder with the chart that replaces NVIDIA's: ``CHARTS / "gpu-operator"``."""

__all__ = ["CHARTS", "Fault", "Fleet", "Status"]
