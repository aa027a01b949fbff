"""The JSON of `mig-fleet toolchain`."""

from mig_fleet.cli.outputs.base import Output


class FoundTool(Output, frozen=True):
    """A tool and where it comes from; ``path`` and ``place`` are null if it is missing."""

    name: str
    version: str
    path: str | None
    place: str | None
    note: str
    skipped: tuple[str, ...]
    """Why each earlier place was skipped."""
