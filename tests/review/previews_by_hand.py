"""Previews as `pulumi preview --json` writes them, made by hand: one wave that changes, with what a test changes."""

import json
from typing import Any

STACK, PROJECT = "prod", "fleet"
GPUS: list[dict[str, int]] = [{"1g.10gb": 7}] * 8


def a_wave(name: str = "web-wave-0", pool: str = "web", op: str = "update", **inputs: Any) -> list[dict[str, Any]]:
    """The two steps of a wave; ``inputs`` are properties of its assignment in the preview."""
    expected = {"gpu": "H100-80GB", "gpus": [{"3g.40gb": 2}] * 8, "allocatable": {"nvidia.com/mig-3g.40gb": 16}}
    old = {"gpu": "H100-80GB", "gpus": GPUS, "allocatable": {"nvidia.com/mig-1g.10gb": 56}}
    common = {"wave": name, "nodes": ["node-1"], "expected": expected, "timeoutSeconds": 3600.0, **inputs}
    parent = {"parent": urn("mig-fleet:index:Pool", pool)}
    found = []
    for kind, suffix in (("Assignment", "assigned"), ("Verification", "verified")):
        kept = {key: value for key, value in common.items() if kind == "Assignment" or key not in LINES}
        step = {
            "op": op,
            "urn": urn(f"mig-fleet:index:Pool$pulumi-python:dynamic/mig:{kind}", f"{name}-{suffix}"),
            "oldState": {**parent, "inputs": {**kept, "expected": old}},
            "newState": {**parent, "inputs": kept},
        }
        if op == "create":
            del step["oldState"]
        if op == "delete":
            del step["newState"]
        found.append(step)
    return found


LINES = ("plannedChanges", "podsLosingSlices", "podsUnschedulable", "gpuResets", "capacityChanges")
CHANGE = ["node-1: GPU 3: 7x 1g.10gb → 3g.40gb + 4x 1g.10gb; GPU 0-2, 4-7 keep their slices"]


def urn(types: str, name: str) -> str:
    return f"urn:pulumi:{STACK}::{PROJECT}::{types}::{name}"


def a_preview(*steps: dict[str, Any], outputs: dict[str, Any] | None = None, **keys: Any) -> str:
    """``outputs``: those of the stack's last update."""
    root: dict[str, Any] = {"op": "same", "urn": urn("pulumi:pulumi:Stack", f"{PROJECT}-{STACK}")}
    root |= {"oldState": {"outputs": outputs}} if outputs else {}
    return json.dumps({"steps": [root, *steps], **keys})


def an_error(message: str) -> dict[str, Any]:
    return {"severity": "error", "urn": urn("pulumi:pulumi:Stack", f"{PROJECT}-{STACK}"), "message": message}


def an_event_log(*policies: dict[str, str]) -> str:
    before = {"resourcePreEvent": {"metadata": {"urn": urn("pulumi:pulumi:Stack", f"{PROJECT}-{STACK}")}}}
    events: list[dict[str, Any]] = [before, *({"policyEvent": policy} for policy in policies), {"cancelEvent": {}}]
    return "\n".join(json.dumps({"sequence": number, **event}) for number, event in enumerate(events))


def a_violation(level: str = "mandatory", **keys: str) -> dict[str, str]:
    resource = urn("mig-fleet:index:Pool$pulumi-python:dynamic/mig:Assignment", "web-wave-0-assigned")
    names = {"policyName": "mig-budget-kept", "policyPackName": "mig-fleet", "enforcementLevel": level}
    return {"resourceUrn": resource, "message": "The stack must cost at most $10 per hour.", **names, **keys}
