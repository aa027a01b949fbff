"""A layout file in a resource, read so that nothing in it can blow up and nothing that stands twice gets lost.

What is counted is counted on PyYAML's events, before any value is built: nesting, and values with aliases written out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

LARGEST_BYTES = 1 << 20
"""A ConfigMap holds no more (Kubernetes, core/v1 ConfigMap)."""
MOST_VALUES = 100_000
DEEPEST = 64
"""Both far beyond any real file."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONG_NUMBER = re.compile(r"[-+0-9_:.]{400,}")
"""YAML 1.1 counts ``1:59:59`` by sixties, for which PyYAML needs the square of its length."""


class Unreadable(Exception):
    """The text is no document of ours; says why, with the line where it is known."""


@dataclass(slots=True)
class _Open:
    """A list or a mapping whose end has not come yet; ``weight`` counts its values with aliases written out."""

    is_mapping: bool
    anchor: str | None
    weight: int = 1
    children: int = 0
    keys: set[str] = field(default_factory=set)


def read(text: str) -> tuple[object, list[str]]:
    """The document, and a sentence for each key of it that stands twice. Raises Unreadable."""
    if len(text.encode()) > LARGEST_BYTES:
        raise Unreadable("is larger than 1 MiB, more than a ConfigMap can hold")
    try:
        twice = list(_keys_that_stand_twice(text))
        return _LOADER(text).get_single_data(), twice
    except yaml.YAMLError as exc:
        raise Unreadable(f"is not YAML: {' '.join(str(exc).split())}") from None
    except (LookupError, AttributeError, ValueError, ArithmeticError):
        # So PyYAML ends on `!!int ""`, `!!bool foo`, `!!timestamp foo`, and on numbers beyond a float.
        raise Unreadable("holds a value that is not what its tag (!!int, !!bool and the like) says") from None


def _keys_that_stand_twice(text: str) -> Iterator[str]:
    """Passes the whole text. Raises Unreadable for what would grow or nest beyond reason, ``yaml.YAMLError`` for what
    is not YAML.
    """
    weights: dict[str, int] = {}
    parents = [_Open(is_mapping=False, anchor=None)]
    for event in yaml.parse(text, Loader=_LOADER):
        place = f"line {event.start_mark.line + 1 if event.start_mark else '?'}"
        if isinstance(event, yaml.CollectionStartEvent):
            if len(parents) > DEEPEST:
                raise Unreadable(f"{place}: is nested more than {DEEPEST} levels deep")
            parents.append(_Open(isinstance(event, yaml.MappingStartEvent), event.anchor))
            weights.pop(event.anchor or "", None)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = parents.pop()
            weights |= {done.anchor: done.weight} if done.anchor else {}
            _add(parents[-1], done.weight, place)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in weights:
                raise Unreadable(f"{place}: *{event.anchor} refers to nothing that ends before it")
            _add(parents[-1], weights[event.anchor], place)
        elif isinstance(event, yaml.ScalarEvent):
            if _LONG_NUMBER.fullmatch(event.value):
                raise Unreadable(f"{place}: holds a number of {len(event.value)} digits")
            if _is_repeated(parents[-1], event):
                yield f"{place}: {event.value} stands there twice"
            weights |= {event.anchor: 1} if event.anchor else {}
            _add(parents[-1], 1, place)


def _is_repeated(parent: _Open, event: yaml.ScalarEvent) -> bool:
    """Whether this is a key that the mapping has already; merge keys (``<<``) may repeat."""
    if not parent.is_mapping or parent.children % 2 or event.value == "<<":
        return False
    is_repeated = event.value in parent.keys
    parent.keys.add(event.value)
    return is_repeated


def _add(parent: _Open, weight: int, place: str) -> None:
    parent.children += 1
    parent.weight += weight
    if parent.weight > MOST_VALUES:
        raise Unreadable(f"{place}: holds more than {MOST_VALUES} values once its aliases are written out")
