"""A simulated fleet that the tests of one file have for themselves."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mig_fleet.simulator import Fleet

STOP_AT_THE_END: Final = """
import sys
sys.stdin.read()
from pathlib import Path
from mig_fleet.simulator import Fleet
Fleet(Path(sys.argv[1])).down()
"""
"""Waits for the end of its input, which comes at the latest with the end of the process that started it."""


@contextmanager
def own_fleet_in(folder: Path, binaries: Path, text: str | None = None, *, genuine: bool = False) -> Iterator[Fleet]:
    """A fleet, running until the end of the block; ``text`` is that of its fleet file, by default the default fleet's.

    ``genuine``: with NVIDIA's own programs, from ``binaries``.
    """
    file = None
    if text is not None:
        file = folder / "fleet-file.yaml"
        file.write_text(text)
    fleet = Fleet(folder / "fleet")
    try:
        fleet.up(binaries, file, attached=True, genuine=genuine)
        yield fleet
    finally:
        fleet.down()


@contextmanager
def fleet_of_the_command(folder: Path, text: str, *options: str) -> Iterator[Fleet]:
    """A fleet that `mig-fleet simulate up` starts; it ends with the block, or with this process if that is killed."""
    file, fleet = folder / "fleet-file.yaml", Fleet(folder / "fleet")
    file.write_text(text)
    stopping = subprocess.Popen(
        [sys.executable, "-c", STOP_AT_THE_END, str(fleet.directory)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        simulate(fleet, "up", "--fleet", str(file), *options)
        yield fleet
    finally:
        stopping.communicate()
    assert stopping.returncode == 0, "the fleet could not be stopped"


def simulate(fleet: Fleet, *words: str) -> str:
    """What `mig-fleet simulate` prints for this fleet; fails if the command does."""
    command = [sys.executable, "-m", "mig_fleet.cli", "simulate", "--directory", str(fleet.directory), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
