"""Builds values from the events of PyYAML's parser.

The two dialects differ in scalars (:mod:`mig_fleet.documents.scalars`) and in merge keys. A document is read as
mig-parted reads it; all below a top-level ``config:``, which only a stack file has, as Pulumi reads it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from mig_fleet.documents.document import Document, DocumentError, Location, Span
from mig_fleet.documents.limits import MAX_DEPTH, MAX_VALUES
from mig_fleet.documents.scalars import BYTE_ORDER_MARK, Dialect, TagError, pulumi_key, resolve_tagged
from mig_fleet.model.finding import Finding
from mig_fleet.model.parted import key_text
from mig_fleet.model.short_repr import format_value

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONE_TAG = re.compile(r"(?:&\S++(?:\s++|#.*+)*+)?+!")


def build(name: str, text: str, times: int = 1) -> Document:
    """Raises DocumentError, or ``yaml.YAMLError`` if the text is not YAML."""
    builder = _Builder(name, text, times * MAX_VALUES)
    builder.build()
    return builder.document


@dataclass(slots=True)
class _Value:
    """A value, the number of values and of levels in it with aliases expanded, and its location."""

    data: Any
    location: Location
    size: int = 1
    levels: int = 0
    is_merge_key: bool = False

    @property
    def line(self) -> int:
        return self.location.line

    def add(self, step: str, child: "_Value", line: int, key: Span | None = None) -> None:
        self.grow(child)
        self.location.children[step] = Location(line, child.location.children, key, child.location.scalar)

    def grow(self, child: "_Value") -> None:
        self.size += child.size
        self.levels = max(self.levels, child.levels + 1)


class _Builder:
    def __init__(self, name: str, text: str, most_values: int) -> None:
        self.document = Document(name)
        self._most_values = most_values
        self._dialect = Dialect.MIG_PARTED
        self._anchors: dict[str, _Value | None] = {}
        """By name; None while the value is not complete."""
        self._text, self._substitute = _without_byte_order_marks(text)

    def build(self) -> None:
        events = iter(yaml.parse(self._text, Loader=_LOADER))
        event = next(events)
        while not isinstance(event, (yaml.DocumentStartEvent, yaml.StreamEndEvent)):
            event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            return
        value = self._value(next(events), events, 0)
        self.document.data = value.data
        self.document.root = value.location
        next(events)
        try:
            has_more = not isinstance(next(events), yaml.StreamEndEvent)
        except yaml.YAMLError:
            has_more = True
        if has_more:
            why = "only the first document is read; the text after --- is ignored"
            self.document.ignored.append(Finding(self.document.name, why))

    def _error(self, line: int, why: str) -> DocumentError:
        return DocumentError(self._place(line), why)

    def _place(self, line: int) -> str:
        return f"{self.document.name}:{line}"

    def _too_deep(self, line: int) -> DocumentError:
        return self._error(line, f"is nested more than {MAX_DEPTH} levels deep")

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> _Value:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if depth > MAX_DEPTH:
            raise self._too_deep(line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, line, depth)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, line)
            if event.start_mark and event.end_mark:
                value.location.scalar = (event.start_mark.index, event.end_mark.index)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, line, depth)
        else:
            value = self._mapping(events, line, depth)
        if anchor:
            self._anchors[anchor] = value
        return value

    def _alias(self, anchor: str | None, line: int, depth: int) -> _Value:
        if anchor is None or anchor not in self._anchors:
            raise self._error(line, f"*{anchor} has no anchor; define &{anchor} before it")
        value = self._anchors[anchor]
        if value is None:
            raise self._error(line, f"*{anchor} is inside its own anchor &{anchor}")
        if depth + value.levels > MAX_DEPTH:
            raise self._too_deep(line)
        return _Value(value.data, Location(line), value.size, value.levels)

    def _sequence(self, events: Iterator[yaml.Event], line: int, depth: int) -> _Value:
        result = _Value([], Location(line))
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            item = self._value(event, events, depth + 1)
            result.add(f"[{len(result.data)}]", item, item.line)
            self._check_size(result)
            result.data.append(item.data)
        return result

    def _mapping(self, events: Iterator[yaml.Event], line: int, depth: int) -> _Value:
        result = _Value({}, Location(line))
        lines: dict[Any, int] = {}
        defaults: dict[Any, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._value(event, events, depth + 1)
            if depth == 0 and key.data == "config":
                self._dialect = Dialect.PULUMI
            value = self._value(next(events), events, depth + 1)
            if key.is_merge_key:
                result.grow(value)
                self._check_size(result)
                for source in self._merged(value):
                    # go-yaml v2 merges in place: keys above a merge key lose to it, keys below it win.
                    (defaults if self._dialect is Dialect.PULUMI else result.data).update(source)
                continue
            if isinstance(key.data, (dict, list)):
                raise self._error(key.line, "has a mapping or a list as a key; a key must be a string")
            name = self._key(key.data)
            if name in lines:
                other = f"; the other one is in line {lines[name]}" if lines[name] != key.line else ""
                duplicate = Finding(self._place(key.line), f"duplicate key {format_value(name)}{other}")
                self.document.ignored.append(duplicate)
            lines[name] = key.line
            result.add(f".{name}", value, key.line, key.location.scalar)
            self._check_size(result)
            result.data[name] = value.data
        result.data = {**defaults, **result.data}
        return result

    def _check_size(self, value: _Value) -> None:
        if value.size > self._most_values:
            raise self._error(value.line, f"has more than {self._most_values} values with its aliases expanded")

    def _key(self, key: Any) -> Any:
        """A key as the tool that consumes the file sees it.

        Both tools make each key a string, so ``1`` and ``true`` are two keys, ``1`` and ``"1"`` are one. A key that
        mig-parted refuses stays: the model of a mig-parted file refuses it.
        """
        text = key_text(key) if self._dialect is Dialect.MIG_PARTED else pulumi_key(key)
        return key if text is None else text

    def _merged(self, value: _Value) -> list[Mapping[Any, Any]]:
        """The mappings of a merge key; the last one wins."""
        sources = list(reversed(value.data)) if isinstance(value.data, list) else [value.data]
        if not all(isinstance(source, dict) for source in sources):
            raise self._error(value.line, "merges (<<) a value that is not a mapping")
        return sources

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> _Value:
        text = event.value.replace(self._substitute, BYTE_ORDER_MARK) if self._substitute else event.value
        is_plain = bool(event.implicit[0]) and not event.style
        tag = "" if is_plain or not event.tag or event.tag == "!" else event.tag.removeprefix("tag:yaml.org,2002:")
        # go-yaml v2 reads `! 7` as a string and `! "<<"` as a merge key; go-yaml v3 ignores the lone tag.
        has_lone_tag = self._dialect is Dialect.MIG_PARTED and self._has_lone_tag(event)
        if text == "<<" and (is_plain or has_lone_tag):
            return _Value(text, Location(line), is_merge_key=True)
        if has_lone_tag or (not is_plain and not tag):
            return _Value(text, Location(line))
        try:
            return _Value(resolve_tagged(text, tag, self._dialect), Location(line))
        except TagError as error:
            raise self._error(line, str(error)) from None

    def _has_lone_tag(self, event: yaml.ScalarEvent) -> bool:
        """Whether the tag is ``!`` alone; PyYAML's events from libyaml do not contain it."""
        if event.tag not in (None, "!") or event.start_mark is None or event.end_mark is None:
            return False
        return _LONE_TAG.match(self._text, event.start_mark.index, event.end_mark.index) is not None


def _without_byte_order_marks(text: str) -> tuple[str, str]:
    """The text with another character in place of each byte order mark, and that character; empty if there is no mark.

    libyaml skips a byte order mark at the start of a line. go-yaml reads it as a letter: it looks for a mark only at
    the start of its buffer (yamlprivateh.go, is_bom).
    """
    if BYTE_ORDER_MARK not in text:
        return text, ""
    used = set(text)
    # There are more of these than characters in any file but one that was made to have them all.
    unused = next(
        (letter for letter in map(chr, range(0x10000, 0x110000)) if letter not in used), "\N{REPLACEMENT CHARACTER}"
    )
    return text.replace(BYTE_ORDER_MARK, unused), unused
