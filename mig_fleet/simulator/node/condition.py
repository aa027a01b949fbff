"""Conditions and timestamps in the status of Kubernetes objects."""

import datetime

from mig_fleet.simulator.api import Json


def condition(kind: str, is_true: bool, **more: str) -> Json:
    """One entry of ``conditions`` in a status."""
    return {"type": kind, "status": str(is_true), "lastTransitionTime": now(), **more}


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
