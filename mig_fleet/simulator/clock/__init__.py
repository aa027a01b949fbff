"""A node's wrong clock, for the programs that run on it as processes."""

from pathlib import Path
from typing import Final

from mig_fleet.simulator.compiled import shared_library
from mig_fleet.simulator.faults import Fault

VARIABLE: Final = "MIG_SIMULATOR_CLOCK"
"""Environment variable with the path of the file that holds the clock's error."""

SOURCE: Final = Path(__file__).with_name("skewed_clock.c")
NAME: Final = "skewed-clock.so"
ERRORS_S: Final = {Fault.CLOCK_AHEAD: 3600, Fault.CLOCK_BEHIND: -3600}


def library(cache: Path) -> Path:
    """The library to preload, compiled when ``cache`` does not have it yet; raises NoCompiler."""
    return shared_library(cache, NAME, [SOURCE]) / NAME


def write_error(file: Path, injected: frozenset[Fault]) -> None:
    """Write a clock's error in seconds to its file; delete the file when the clock is right."""
    error_s = sum(ERRORS_S[fault] for fault in injected & ERRORS_S.keys())
    if error_s:
        file.write_text(str(error_s))
    else:
        file.unlink(missing_ok=True)
