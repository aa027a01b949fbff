"""A valid mig-parted file in which a test can change one thing."""

from typing import Any

from mig_fleet.model.labels import ALL_DISABLED


def an_entry(**changes: Any) -> dict[str, Any]:
    """A valid entry with some fields changed; ``None`` removes a field."""
    entry = {"devices": "all", "mig-enabled": True, "mig-devices": {"1g.10gb": 7}}
    entry |= {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in entry.items() if value is not None}


def a_file(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"version": "v1", "mig-configs": {"dense": list(entries or [an_entry()]), ALL_DISABLED: [OFF]}}


OFF = {"devices": "all", "mig-enabled": False}
