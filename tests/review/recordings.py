"""The recorded previews: what a review reads of them, in small files beside their golden comments.

`make review-fixtures` renews both.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mig_fleet.model.resource_types import WAVES
from mig_fleet.review.amounts import STACK
from mig_fleet.review.preview import read_events, read_previews
from mig_fleet.review.reader import review_all
from mig_fleet.review.review import Review
from mig_fleet.review.waves import CHOICES
from mig_fleet.rollout.wave import PREVIEW_ONLY

FOLDER: Final = Path(__file__).with_name("previews")
WRITES: Final = bool(os.environ.get("MIG_FLEET_WRITE_PREVIEWS"))
"""Whether this run renews the files instead of comparing."""

WAVE: Final = {
    "wave",
    "nodeNames",
    "nodes",
    "joining",
    "expected",
    "held",
    "soakSeconds",
    "timeoutSeconds",
    "costPerHourUsd",
    *CHOICES.values(),
}
EXPECTED: Final = ("gpu", "gpus", "allocatable")
OUTPUTS: Final = ("capacity", "cost", "slices")
POD: Final = re.compile(r"-[0-9a-f]{8,10}-[a-z0-9]{5}(?= \()")
FOLDERS: Final = re.compile(r"/(?:tmp|root|home|work)/[^\s'\"]*")


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def recorded(name: str) -> Review:
    """The review of a recorded preview."""
    path, log = FOLDER / f"{name}.json", FOLDER / f"{name}.events"
    logs = [read_events(log.name, log.read_text())] if log.exists() else []
    (review,) = review_all(read_previews(path.name, path.read_text()), logs)
    return review


def write(name: str, preview: str, events: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(reduced(preview))
    if events:
        (FOLDER / f"{name}.events").write_text(reduced_events(events))


def reduced(text: str) -> str:
    """Only what a review reads, one step per line; nothing local, and the same in each recording."""
    found = json.loads(text)
    steps = ",\n".join(json.dumps(_step(step), ensure_ascii=False) for step in found["steps"] if _is_read(step))
    diagnostics = json.dumps(found.get("diagnostics") or [], ensure_ascii=False)
    return _neutral(f'{{"steps": [\n{steps}\n],\n"diagnostics": {diagnostics}}}\n')


def reduced_events(text: str) -> str:
    """The violated policies, and one resource that names the stack."""
    events = [json.loads(line) for line in text.splitlines()]
    urn = next(it["resourcePreEvent"]["metadata"]["urn"] for it in events if it.get("resourcePreEvent"))
    keys = ("resourceUrn", "message", "policyName", "policyPackName", "enforcementLevel")
    kept: list[dict[str, Any]] = [{"resourcePreEvent": {"metadata": {"urn": urn}}}]
    for event in events:
        if policy := event.get("policyEvent"):
            kept.append({"policyEvent": {key: policy[key] for key in keys if key in policy}})
    lines = [json.dumps({"sequence": number, **event}, ensure_ascii=False) for number, event in enumerate(kept)]
    return _neutral("\n".join(lines) + "\n")


def _neutral(text: str) -> str:
    return FOLDERS.sub("/some/where", POD.sub("-7d4b9c6f5-x2x7k", text))


def _is_read(step: Mapping[str, Any]) -> bool:
    return step["op"] != "same" or f"::{STACK}::" in step["urn"]


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    kind = step["urn"].split("::")[2].rpartition("$")[2]
    states = {
        "oldState": _state(step.get("oldState"), kind, ()),
        "newState": _state(step.get("newState"), kind, PREVIEW_ONLY),
    }
    return {"op": step["op"], "urn": step["urn"], **{key: state for key, state in states.items() if state}}


def _state(state: Mapping[str, Any] | None, kind: str, lines: tuple[str, ...]) -> dict[str, Any]:
    if state is None:
        return {}
    if kind == STACK:
        outputs = state.get("outputs") or {}
        return {"outputs": {key: outputs[key] for key in OUTPUTS if key in outputs}} if outputs else {}
    keys = {*lines, *(WAVE if kind in WAVES else ())}
    inputs = {key: value for key, value in sorted((state.get("inputs") or {}).items()) if key in keys}
    if expected := inputs.get("expected"):
        inputs["expected"] = {key: expected[key] for key in EXPECTED}
    parent = {"parent": state["parent"]} if "Pool::" in state.get("parent", "") else {}
    return {**parent, "inputs": inputs} if inputs else {}
