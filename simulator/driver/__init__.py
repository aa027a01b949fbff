"""The simulated NVIDIA driver of one node: a state file that is the truth, operations, a library that serves it."""

from simulator.driver.gpu import Client, ComputeInstance, Gpu, GpuInstance
from simulator.driver.state import Driver, DriverFile

__all__ = ["Client", "ComputeInstance", "Driver", "DriverFile", "Gpu", "GpuInstance"]
