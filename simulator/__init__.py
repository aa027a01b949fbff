"""A real control plane and GPU nodes that behave, bad days included."""

from pathlib import Path
from typing import Final

from simulator.faults import Fault
from simulator.fleet import Fleet
from simulator.running import Status

CHARTS: Final = Path(__file__).parent / "charts"
"""Folder with the stand-in chart: ``CHARTS / "gpu-operator"``."""

__all__ = ["CHARTS", "Fault", "Fleet", "Status"]
