"""The simulated NVIDIA driver of one node: a state file, operations on it, and an NVML library that reports it."""

from mig_fleet.simulator.driver.gpu import Gpu
from mig_fleet.simulator.driver.instances import Client, ComputeInstance, GpuInstance
from mig_fleet.simulator.driver.state import Driver, DriverFile

__all__ = ["Client", "ComputeInstance", "Driver", "DriverFile", "Gpu", "GpuInstance"]
