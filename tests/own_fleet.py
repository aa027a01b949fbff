"""A simulated fleet that the tests of one file have for themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mig_fleet.simulator import Fleet


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
