"""The annotation that requests a reboot of a node."""

from typing import Final

from mig_fleet.simulator.api import Json

ANNOTATION: Final = "simulator.mig-fleet.dev/reboot"
"""Node annotation; the node reboots whenever its value changes."""


def is_requested(before: Json, after: Json) -> bool:
    """Whether the annotation changed between two versions of a Node."""
    was, now = ((node["metadata"].get("annotations") or {}).get(ANNOTATION) for node in (before, after))
    return now is not None and now != was
