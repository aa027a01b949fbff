"""A node's wrong clock, as the programs that really run on it see it."""

from pathlib import Path
from typing import Final

from mig_fleet.simulator.compiled import shared_library
from mig_fleet.simulator.faults import Fault

VARIABLE: Final = "MIG_SIMULATOR_CLOCK"
"""Names the file with the clock's error to a program."""

SOURCE: Final = Path(__file__).with_name("skewed_clock.c")
NAME: Final = "skewed-clock.so"
ERRORS_S: Final = {Fault.CLOCK_AHEAD: 3600, Fault.CLOCK_BEHIND: -3600}


def library(cache: Path) -> Path:
    """The library to preload, compiled when it is not there yet; raises NoCompiler."""
    return shared_library(cache, NAME, [SOURCE]) / NAME


def keep(file: Path, playing: frozenset[Fault]) -> None:
    """Write what is wrong with a node's clock into its file, or take the file away."""
    error_s = sum(ERRORS_S[fault] for fault in playing & ERRORS_S.keys())
    if error_s:
        file.write_text(str(error_s))
    else:
        file.unlink(missing_ok=True)
