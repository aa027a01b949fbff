"""The NVML library that serves a driver's state."""

from pathlib import Path
from typing import Final

from mig_fleet.simulator.compiled import shared_library

SONAME: Final = "libnvidia-ml.so.1"
STATE_VARIABLE: Final = "MIG_SIMULATOR_DRIVER"
"""Names the driver state file to the library."""

SOURCES: Final = Path(__file__).parent / "nvml"


def library(cache: Path) -> Path:
    """The folder that holds ``libnvidia-ml.so.1``, compiled when it is not there yet.

    Raises :class:`~mig_fleet.simulator.errors.NoCompiler` when there is no C compiler, or when it fails.
    """
    return shared_library(cache, SONAME, sorted(path for path in SOURCES.iterdir() if path.suffix in {".c", ".h"}))
