"""Pulumi's own JSON: the steps and diagnostics of ``pulumi preview --json``, and the policy events of an event log.

The shapes are those of pulumi v3.259.0: ``PreviewDigest`` in pkg/display/digest.go, and ``EngineEvent`` in
sdk/go/common/apitype/events.go. Unknown keys are ignored.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

HOW = "write one with `pulumi preview --json > preview.json`"


class NotAPreview(ValueError):
    """A text that is not what Pulumi writes; the message begins with the name of its file and has the remedy."""


@dataclass(frozen=True, slots=True)
class Step:
    """What the engine would do with one resource."""

    op: str
    """``same``, ``create``, ``update``, ``delete``, ``replace``, …"""
    urn: str
    old: Json
    """The resource as the state has it, ``inputs`` and ``outputs`` among its keys; empty for a new one."""
    new: Json

    @property
    def type(self) -> str:
        return self.types[-1]

    @property
    def types(self) -> list[str]:
        """The types of its parents, outermost first, and its own."""
        return _urn_part(self.urn, 2).split("$")

    @property
    def name(self) -> str:
        return _urn_part(self.urn, 3)

    @property
    def inputs(self) -> Json:
        """The new inputs; those of a deleted resource are empty."""
        return _mapping(self.new.get("inputs"))

    @property
    def old_inputs(self) -> Json:
        return _mapping(self.old.get("inputs"))


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A message of the engine, the program or a provider."""

    severity: str
    urn: str
    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """One stack's preview."""

    steps: tuple[Step, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def identity(self) -> tuple[str, str]:
        """Project and stack; empty if the preview ended before any resource."""
        urns = [*(step.urn for step in self.steps), *(each.urn for each in self.diagnostics)]
        return next(((_urn_part(urn, 1), _urn_part(urn, 0)) for urn in urns if urn), ("", ""))


@dataclass(frozen=True, slots=True)
class PolicyEvent:
    """A violated policy."""

    pack: str
    policy: str
    level: str
    urn: str
    message: str


@dataclass(frozen=True, slots=True)
class EventLog:
    """What an event log has and a preview has not."""

    stacks: frozenset[tuple[str, str]]
    """Project and stack of every resource in it."""
    policies: tuple[PolicyEvent, ...]


def read_previews(name: str, text: str) -> list[Preview]:
    """The previews in a text, one after another; raises :class:`NotAPreview`."""
    return [_preview(name, document) for document in _documents(name, text)]


def read_events(name: str, text: str) -> EventLog:
    """An event log, one JSON object per line; raises :class:`NotAPreview`. A last line that is not complete is
    ignored: an engine that is killed leaves one.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    events: list[Json] = []
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            if events and number == len(lines):
                break
            event = None
        if not isinstance(event, dict) or not ("sequence" in event or "timestamp" in event):
            how = "write one with `PULUMI_DEBUG_COMMANDS=true pulumi preview --event-log FILE`"
            raise NotAPreview(f"{name}: line {number} is no event of Pulumi's engine; {how}")
        events.append(event)
    if not events:
        raise NotAPreview(f"{name}: the event log is empty; was it written by another command, or deleted?")
    metadata = (_mapping(_mapping(event.get("resourcePreEvent")).get("metadata")) for event in events)
    urns = [urn for each in metadata if (urn := str(each.get("urn") or ""))]
    stacks = {(_urn_part(urn, 1), _urn_part(urn, 0)) for urn in urns}
    policies = (_policy(event["policyEvent"]) for event in events if isinstance(event.get("policyEvent"), dict))
    return EventLog(frozenset(stacks), tuple(policies))


def _policy(event: Json) -> PolicyEvent:
    return PolicyEvent(
        str(event.get("policyPackName", "")),
        str(event.get("policyName", "")),
        str(event.get("enforcementLevel", "")),
        str(event.get("resourceUrn") or ""),
        str(event.get("message", "")),
    )


def _documents(name: str, text: str) -> Iterator[Json]:
    decoder, rest = json.JSONDecoder(), text.lstrip("\ufeff \t\r\n")
    if not rest:
        raise NotAPreview(f"{name}: is empty; {HOW}, and look at the errors of that command")
    while rest:
        try:
            found, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError) as exc:
            raise NotAPreview(f"{name}: {_why(rest, exc)}; {HOW}") from None
        if not isinstance(found, dict) or not ("steps" in found or "diagnostics" in found or "changeSummary" in found):
            raise NotAPreview(f"{name}: is JSON, but no preview: it has neither steps nor diagnostics; {HOW}")
        yield found
        rest = rest[end:].lstrip()


def _why(text: str, reason: Exception) -> str:
    if not text.startswith(("{", "[")):
        return "is not JSON; the text that `pulumi preview` prints without --json cannot be read"
    at = getattr(reason, "pos", 0)
    if len(text) - at < 20 or "Unterminated" in str(reason):
        return "ends in the middle of the preview, as after a full disk or a killed engine"
    return f"is not JSON after character {at}"


def _preview(name: str, document: Json) -> Preview:
    steps, diagnostics = document.get("steps") or [], document.get("diagnostics") or []
    if not (_are_mappings(steps) and _are_mappings(diagnostics)):
        raise NotAPreview(f"{name}: is JSON, but no preview: its steps are no list of objects; {HOW}")
    return Preview(tuple(map(_step, steps)), tuple(map(_diagnostic, diagnostics)))


def _step(found: Json) -> Step:
    new, old = _mapping(found.get("newState")), _mapping(found.get("oldState"))
    return Step(str(found.get("op", "")), str(found.get("urn", "")), old, new)


def _diagnostic(found: Json) -> Diagnostic:
    return Diagnostic(str(found.get("severity", "")), str(found.get("urn") or ""), str(found.get("message", "")))


def _are_mappings(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(each, dict) for each in found)


def _mapping(found: object) -> Json:
    return found if isinstance(found, dict) else {}


def _urn_part(urn: str, index: int) -> str:
    """Of ``urn:pulumi:<stack>::<project>::<types>::<name>``, whose name may have ``::``."""
    parts = urn.removeprefix("urn:pulumi:").split("::", 3)
    return parts[index] if index < len(parts) else ""
