"""The NVML library that reports a driver's state."""

from pathlib import Path
from typing import Final

from mig_fleet.simulator.compiled import shared_library

SONAME: Final = "libnvidia-ml.so.1"
STATE_VARIABLE: Final = "MIG_SIMULATOR_DRIVER"
"""Environment variable with the path of the driver's state file."""

SOURCES: Final = Path(__file__).parent / "nvml"


def library(cache: Path) -> Path:
    """The folder with ``libnvidia-ml.so.1``, compiled when ``cache`` does not have it yet.

    Raises :class:`~mig_fleet.simulator.errors.NoCompiler` when there is no C compiler or the compiler fails.
    """
    return shared_library(cache, SONAME, sorted(path for path in SOURCES.iterdir() if path.suffix in {".c", ".h"}))
