"""Reads single values of a resource, in a preview in which some are not known yet.

The SDK raises an error at the access to an unknown value, and then reports that the whole policy cannot run, as advice
(pulumi-policy 1.20.0, policy.py; pulumi-policy #258). So nothing here iterates over values that it does not need.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from pulumi_policy.proxy import UnknownValueError


class Missing(Enum):
    """A value that cannot be read."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Missing.UNKNOWN


def get(value: Any, *path: str | int) -> Any:
    """The value at a path, None if there is none, :data:`UNKNOWN` if it, or one above it, is not known."""
    for step in path:
        if not (isinstance(value, Mapping) or is_list(value)):
            return None
        try:
            value = value[step]
        except (KeyError, IndexError):
            return None
        except UnknownValueError:
            return UNKNOWN
    return value


def text(value: Any, *path: str | int) -> str | None:
    """The text at a path, empty if there is none, None if it is not known."""
    found = get(value, *path)
    return None if found is UNKNOWN else found if isinstance(found, str) else ""


def is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def each(value: Any) -> Iterator[Any]:
    """The known items of a list; nothing for any other value."""
    found: list[Any] = [get(value, index) for index in range(len(value))] if is_list(value) else []
    return (item for item in found if item is not UNKNOWN)


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every known text below a value, with its path."""
    if isinstance(value, str):
        yield path, value
    keys: Any = value if isinstance(value, Mapping) else range(len(value)) if is_list(value) else ()
    for key in keys:
        step = f"[{key}]" if isinstance(key, int) else f".{key}" if path else str(key)
        yield from texts(get(value, key), f"{path}{step}")
