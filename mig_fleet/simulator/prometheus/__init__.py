"""A real Prometheus that scrapes a simulated fleet. It is a child of the fleet's daemon and ends with it."""

from mig_fleet.simulator.prometheus.request import start, stop
from mig_fleet.simulator.prometheus.settings import Settings

__all__ = ["Settings", "start", "stop"]
