"""Conditions and times, as every status of Kubernetes has them."""

import datetime

from mig_fleet.simulator.api import Json


def condition(kind: str, truth: bool, **more: str) -> Json:
    """One entry of a status' ``conditions``."""
    return {"type": kind, "status": str(truth), "lastTransitionTime": now(), **more}


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
