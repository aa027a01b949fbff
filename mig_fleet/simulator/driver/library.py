"""The NVML library that reports a driver's state."""

from pathlib import Path
from typing import Final

from mig_fleet.simulator.compiled import shared_library
from mig_fleet.simulator.driver.state import DriverFile

SONAME: Final = "libnvidia-ml.so.1"
STATE_VARIABLE: Final = "MIG_SIMULATOR_DRIVER"
"""Environment variable with the path of the driver's state file."""

SOURCES: Final = Path(__file__).parent / "nvml"


def library(cache: Path) -> Path:
    """The folder with ``libnvidia-ml.so.1``, compiled when ``cache`` does not have it yet.

    Raises :class:`~mig_fleet.simulator.errors.NoCompiler` when there is no C compiler or the compiler fails.
    """
    return shared_library(cache, SONAME, sorted(path for path in SOURCES.iterdir() if path.suffix in {".c", ".h"}))


def reading(nvml: Path, file: DriverFile) -> dict[str, str]:
    """The variables of a process that reads a driver; ``nvml`` is the folder with the library."""
    return {"LD_LIBRARY_PATH": str(nvml), STATE_VARIABLE: str(file.path)}
