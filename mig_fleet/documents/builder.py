"""From YAML events to values.

Two readers of YAML stand behind the files: go-yaml v2 reads mig-parted files (:mod:`mig_fleet.documents.scalars`),
go-yaml v3 the stack files of Pulumi. They differ in words (``on`` is a truth value to the first only) and in merge
keys; all that stands under a top-level ``config:`` is read as the second does.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from mig_fleet.documents.document import Document, DocumentError, Spot
from mig_fleet.documents.scalars import Dialect, resolve
from mig_fleet.model.parted import key_text

MOST_VALUES: Final = 100_000
DEEPEST: Final = 64


@dataclass(slots=True)
class Value:
    """A built value, how many values it holds when aliases are written out, and where it stands."""

    data: Any
    weight: int
    spot: Spot
    is_merge: bool = False

    @property
    def line(self) -> int:
        return self.spot.line

    def add(self, step: str, child: "Value", line: int) -> None:
        self.weight += child.weight
        self.spot.below[step] = Spot(line, child.spot.below)


class Builder:
    """From parser events to values."""

    def __init__(self, name: str) -> None:
        self.document = Document(name)
        self.dialect = Dialect.MIG_PARTED
        self.anchors: dict[str, Value | None] = {}
        self.text = self.mark = ""

    def build(self, text: str) -> None:
        """Fills ``document``. Raises DocumentError, or ``yaml.YAMLError`` where the text is not YAML."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.text, self.mark = _without_marks(text)
        events = iter(yaml.parse(self.text, Loader=loader))
        event = next(events)
        while not isinstance(event, (yaml.DocumentStartEvent, yaml.StreamEndEvent)):
            event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            return
        value = self.value(next(events), events, 0)
        self.document.data = value.data
        self.document.root = value.spot
        next(events)
        try:
            has_more = not isinstance(next(events), yaml.StreamEndEvent)
        except yaml.YAMLError:
            has_more = True
        if has_more:
            why = "only the first document is read; what stands behind --- is ignored"
            self.document.overlooked.append(DocumentError(self.document.name, why))

    def fail(self, line: int, why: str) -> DocumentError:
        return DocumentError(f"{self.document.name}:{line}", why)

    def value(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Value:
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

    def alias(self, anchor: str | None, line: int) -> Value:
        if anchor is None or anchor not in self.anchors:
            raise self.fail(line, f"*{anchor} refers to nothing; &{anchor} must stand before it")
        value = self.anchors[anchor]
        if value is None:
            raise self.fail(line, f"*{anchor} stands inside its own &{anchor}")
        return Value(value.data, value.weight, Spot(line))

    def sequence(self, events: Iterator[yaml.Event], line: int, depth: int) -> Value:
        result = Value([], 1, Spot(line))
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            item = self.value(event, events, depth + 1)
            result.add(f"[{len(result.data)}]", item, item.line)
            result.data.append(item.data)
        return result

    def mapping(self, events: Iterator[yaml.Event], line: int, depth: int) -> Value:
        result = Value({}, 1, Spot(line))
        own: set[Any] = set()
        defaults: dict[Any, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self.value(event, events, depth + 1)
            if depth == 0 and key.data == "config":
                self.dialect = Dialect.PULUMI
            value = self.value(next(events), events, depth + 1)
            if key.is_merge:
                result.weight += value.weight
                for source in self.merged(value):
                    # go-yaml v2 merges in place: what stands above a merge key loses to it, what stands below wins.
                    (defaults if self.dialect is Dialect.PULUMI else result.data).update(source)
                continue
            if isinstance(key.data, (dict, list)):
                raise self.fail(key.line, "has a mapping or a list as a key; keys are texts")
            name = self.name(key.data)
            if name in own:
                self.document.overlooked.append(self.fail(key.line, f"{name} stands there twice"))
            own.add(name)
            result.add(f".{name}", value, key.line)
            result.data[name] = value.data
        result.data = {**defaults, **result.data}
        return result

    def name(self, key: Any) -> Any:
        """A key as its reader knows it: for mig-parted a text, so that ``1`` and ``true`` are two, ``1`` and ``"1"``
        one. Of what is no text for Pulumi, or for neither, the stack's and the file's own readers speak.
        """
        text = key_text(key) if self.dialect is Dialect.MIG_PARTED else None
        return key if text is None else text

    def merged(self, value: Value) -> list[Mapping[Any, Any]]:
        """The mappings behind a merge key, the one that wins last."""
        sources = list(reversed(value.data)) if isinstance(value.data, list) else [value.data]
        if not all(isinstance(source, dict) for source in sources):
            raise self.fail(value.line, "merges (<<) something that is not a mapping")
        return sources

    def scalar(self, event: yaml.ScalarEvent, line: int) -> Value:
        text = event.value.replace(self.mark, BYTE_ORDER_MARK) if self.mark else event.value
        plain = bool(event.implicit[0]) and not event.style
        tag = "" if plain or not event.tag or event.tag == "!" else event.tag.removeprefix("tag:yaml.org,2002:")
        # go-yaml v2 takes `! 7` for a text, and `! "<<"` for a merge key; to go-yaml v3 the ! says nothing.
        is_odd = self.dialect is Dialect.MIG_PARTED and self.has_lone_tag(event)
        if text == "<<" and (plain or is_odd):
            return Value(text, 1, Spot(line), is_merge=True)
        if tag == "binary":
            try:
                return Value(base64.b64decode(text, validate=True).decode("utf-8", "replace"), 1, Spot(line))
            except (binascii.Error, ValueError):
                raise self.fail(line, "says !!binary but is not base64") from None
        if is_odd or (not plain and not tag):
            return Value(text, 1, Spot(line))
        kind, data = resolve(text, self.dialect) if tag in _RESOLVED else (tag, text)
        if tag == "str" or kind == tag or not tag:
            return Value(text if tag == "str" else data, 1, Spot(line))
        if tag == "float" and kind == "int":
            return Value(float(data), 1, Spot(line))
        raise self.fail(line, f"says !!{tag} but is {text[:40]!r}")

    def has_lone_tag(self, event: yaml.ScalarEvent) -> bool:
        """Whether the tag is ``!`` alone, of which PyYAML's events over libyaml keep no trace."""
        if event.tag not in (None, "!") or event.start_mark is None or event.end_mark is None:
            return False
        return _LONE_TAG.match(self.text, event.start_mark.index, event.end_mark.index) is not None


def _without_marks(text: str) -> tuple[str, str]:
    """The text with another character for each byte order mark, and that character; empty where there is none.

    libyaml passes over the mark at the start of a line. go-yaml takes it for a letter: it looks for one at the start of
    its buffer, wherever it reads (yamlprivateh.go, is_bom).
    """
    if BYTE_ORDER_MARK not in text:
        return text, ""
    used = set(text)
    # There are more of these than a file of LARGEST_BYTES can hold.
    free = next(letter for letter in map(chr, range(0x10000, 0x110000)) if letter not in used)
    return text.replace(BYTE_ORDER_MARK, free), free


BYTE_ORDER_MARK: Final = "\ufeff"
_LONE_TAG = re.compile(r"(?:&\S++(?:\s++|#.*+)*+)?+!")
_RESOLVED = ("", "str", "bool", "int", "float", "null", "timestamp")
