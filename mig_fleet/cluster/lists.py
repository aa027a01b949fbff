"""The items of a LIST, decoded one by one if one of them is malformed: it must not hide the others; and the events of a
watch.
"""

import json
import threading
from functools import cache
from typing import Any, TypeVar

import msgspec

from mig_fleet.foreign_text import printable

T = TypeVar("T")

BROKEN = (msgspec.DecodeError, ValueError, RecursionError)
"""What a text that is not JSON, or not of the shape, raises."""


_building = threading.Lock()
"""Two threads that build decoders of shapes with a common part end the process with a segmentation fault (msgspec
0.22.0): one of them uses the part while the other one has not finished it."""


@cache
def _list_of(shape: Any) -> Any:
    with _building:
        return msgspec.json.Decoder(msgspec.defstruct("List", [("items", list[shape])]))


def decode_items(answer: bytes, shape: type[T]) -> tuple[list[T], dict[str, str]]:
    """The items that have this shape, and of each other one its name and what is wrong. Raises one of :data:`BROKEN`
    for an answer that is no LIST.
    """
    found: list[T] = []
    malformed: dict[str, str] = {}
    try:
        found = _list_of(shape).decode(answer).items  # type: ignore[arg-type]  # a type is hashable
    except BROKEN:
        for item in _items(answer):
            try:
                found.append(msgspec.json.decode(json.dumps(item), type=shape))
            except BROKEN as exc:
                malformed[_name(item)] = printable(exc)
    return found, malformed


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


def decode_changes(answer: bytes, shape: type[T]) -> tuple[list[tuple[str, T]], str]:
    """Kind and object of each event of a watch, and the resource version up to which it is complete; empty if nothing
    changed. Raises one of :data:`BROKEN`, also for the event with which the API server ends a watch.
    """
    found, version = list[tuple[str, T]](), ""
    for line in filter(None, answer.split(b"\n")):
        event = msgspec.json.decode(line, type=_Event)
        version = msgspec.json.decode(event.object, type=_Versioned).metadata.resource_version
        found.append((event.type, msgspec.json.decode(event.object, type=shape)))
    return found, version


class _Version(msgspec.Struct, rename="camel"):
    resource_version: str


class _Versioned(msgspec.Struct):
    metadata: _Version


def _items(answer: bytes) -> list[Any]:
    """With the standard library: it also reads texts that no text may contain, such as half a surrogate pair."""
    data = json.loads(answer)
    if not isinstance(data, dict) or not isinstance(data.get("items"), list):
        raise ValueError("it is no list of objects")
    return list(data["items"])


def _name(item: Any) -> str:
    """Empty for an item without a name."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return printable(metadata.get("name", "")) if isinstance(metadata, dict) else ""
