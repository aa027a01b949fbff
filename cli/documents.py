"""YAML from people, read the way NVIDIA's tools read it, with the line of everything and nothing that can blow up.

Repeated keys are kept in mind, because the last of them silently wins; aliases are counted as if written out.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from cli.scalars import resolve

LARGEST_BYTES: Final = 1 << 20
"""A ConfigMap holds no more, so no stack or mig-parted file needs more."""

MOST_VALUES: Final = 100_000
DEEPEST: Final = 64


class DocumentError(Exception):
    """A file that cannot be read at all: ``place`` is the file and, where known, the line."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(place, why)
        self.place, self.why = place, why

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


@dataclass(slots=True)
class Document:
    """The first document of a file, the only one that NVIDIA's tools read; ``has_more`` tells of text behind it.

    ``lines`` gives the line (from 1) of each path, ``pools.inference.nodes[0]``; ``duplicates`` the keys that stand
    there twice.
    """

    name: str
    data: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)
    has_more: bool = False

    def at(self, path: str) -> str:
        """``file.yaml:12`` for a path or the nearest one above it."""
        while path and path not in self.lines:
            path = re.sub(r"(\[\d+\]|\.?[^.\[]*)$", "", path)
        return f"{self.name}:{self.lines[path]}" if path in self.lines else self.name


def open_document(path: str | Path) -> Document:
    """Raises DocumentError for a file that is missing, too large, not UTF-8 or not YAML."""
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise DocumentError(name, f"cannot be read: {error.strerror or error}") from None
    return parse(name, content)


def parse(name: str, content: bytes) -> Document:
    """Raises DocumentError."""
    if len(content) > LARGEST_BYTES:
        raise DocumentError(name, "is larger than 1 MiB, more than a ConfigMap can hold; split it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"{name}:{line}", "is not UTF-8; save it as UTF-8") from None
    builder = _Builder(name)
    try:
        builder.build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise DocumentError(place, f"is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DocumentError(name, f"is not YAML: {' '.join(str(error).split())}") from None
    return builder.document


@dataclass(slots=True)
class _Value:
    """A built value, how many values it holds when aliases are written out, and the lines below it."""

    data: Any
    weight: int
    line: int
    is_merge: bool = False
    lines: dict[str, int] = field(default_factory=dict)


class _Builder:
    """From parser events to values."""

    def __init__(self, name: str) -> None:
        self.document = Document(name)
        self.anchors: dict[str, _Value | None] = {}

    def build(self, text: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        events = iter(yaml.parse(text, Loader=loader))
        event = next(events)
        while not isinstance(event, (yaml.DocumentStartEvent, yaml.StreamEndEvent)):
            event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            return
        value = self.value(next(events), events, 0)
        self.document.data = value.data
        self.document.lines = {"": value.line, **{path.removeprefix("."): n for path, n in value.lines.items()}}
        next(events)
        try:
            self.document.has_more = not isinstance(next(events), yaml.StreamEndEvent)
        except yaml.YAMLError:
            self.document.has_more = True

    def fail(self, line: int, why: str) -> DocumentError:
        return DocumentError(f"{self.document.name}:{line}", why)

    def value(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> _Value:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if depth > DEEPEST:
            raise self.fail(line, f"is nested more than {DEEPEST} levels deep")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event.anchor, line)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self.anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value = self.scalar(event, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self.sequence(events, line, depth)
        else:
            value = self.mapping(events, line, depth)
        if value.weight > MOST_VALUES:
            raise self.fail(line, f"holds more than {MOST_VALUES} values once its aliases are written out")
        if anchor:
            self.anchors[anchor] = value
        return value

    def alias(self, anchor: str | None, line: int) -> _Value:
        if anchor is None or anchor not in self.anchors:
            raise self.fail(line, f"*{anchor} refers to nothing; &{anchor} must stand before it")
        value = self.anchors[anchor]
        if value is None:
            raise self.fail(line, f"*{anchor} stands inside its own &{anchor}")
        return _Value(value.data, value.weight, line)

    def sequence(self, events: Iterator[yaml.Event], line: int, depth: int) -> _Value:
        result = _Value([], 1, line)
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            item = self.value(event, events, depth + 1)
            _note(result, f"[{len(result.data)}]", item)
            result.data.append(item.data)
        return result

    def mapping(self, events: Iterator[yaml.Event], line: int, depth: int) -> _Value:
        result = _Value({}, 1, line)
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self.value(event, events, depth + 1)
            value = self.value(next(events), events, depth + 1)
            if key.is_merge:
                # go-yaml v2 merges in place: what stands above a merge key loses to it, what stands below wins.
                for source in self.merged(value):
                    result.data.update(source)
                result.weight += value.weight
                continue
            if isinstance(key.data, (dict, list)):
                raise self.fail(key.line, "has a mapping or a list as a key; keys are texts")
            if key.data in result.data:
                self.document.duplicates.append(f"{self.document.name}:{key.line}: {key.data} stands there twice")
            _note(result, f".{key.data}", value)
            result.lines[f".{key.data}"] = key.line
            result.data[key.data] = value.data
        return result

    def merged(self, value: _Value) -> list[Mapping[Any, Any]]:
        sources = list(reversed(value.data)) if isinstance(value.data, list) else [value.data]
        if not all(isinstance(source, dict) for source in sources):
            raise self.fail(value.line, "merges (<<) something that is not a mapping")
        return sources

    def scalar(self, event: yaml.ScalarEvent, line: int) -> _Value:
        plain, text = bool(event.implicit[0]), event.value
        tag = "" if plain or not event.tag or event.tag == "!" else event.tag.removeprefix("tag:yaml.org,2002:")
        if plain and text == "<<":
            return _Value(text, 1, line, is_merge=True)
        if tag == "binary":
            try:
                return _Value(base64.b64decode(text, validate=True).decode("utf-8", "replace"), 1, line)
            except (binascii.Error, ValueError):
                raise self.fail(line, "says !!binary but is not base64") from None
        if not plain and not tag:
            return _Value(text, 1, line)
        kind, data = resolve(text) if tag in _RESOLVED else (tag, text)
        if tag == "str" or kind == tag or not tag:
            return _Value(text if tag == "str" else data, 1, line)
        if tag == "float" and kind == "int":
            return _Value(float(data), 1, line)
        raise self.fail(line, f"says !!{tag} but is {text[:40]!r}")


_RESOLVED = ("", "str", "bool", "int", "float", "null", "timestamp")


def _note(parent: _Value, step: str, child: _Value) -> None:
    parent.weight += child.weight
    parent.lines[step] = child.line
    parent.lines |= {f"{step}{path}": line for path, line in child.lines.items()}
