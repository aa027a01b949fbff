"""Strict reading of a document, key by key: each key has one type, and unread keys are refused."""

from collections.abc import Callable
from typing import Any, TypeVar

from mig_fleet.model.short_repr import format_value

T = TypeVar("T")

_WORDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


class Reader:
    """One mapping of a document and its path. ``fail(path, why)`` makes the error that is raised.

    Whole numbers are counts and positions, so a negative one is refused.
    """

    def __init__(self, path: str, data: object, fail: Callable[[str, str], Exception]) -> None:
        self._path, self._fail = path, fail
        if not isinstance(data, dict):
            raise fail(path, f"must be a mapping, found {format_value(data)}")
        self._data: dict[str, Any] = dict(data)

    def take(self, key: str, kind: type[T]) -> T:
        """The value of a required key."""
        if key not in self._data:
            raise self.error(key, f"is missing; it must be {_WORDS[kind]}")
        return self._checked(key, self._data.pop(key), kind)

    def take_optional(self, key: str, kind: type[T]) -> T | None:
        """The value of an optional key."""
        return self.take(key, kind) if key in self._data else None

    def take_optional_nullable(self, key: str, kind: type[T]) -> T | None:
        """The value of an optional key that may be null."""
        return self.take_nullable(key, kind) if key in self._data else None

    def take_nullable(self, key: str, kind: type[T]) -> T | None:
        """The value of a required key that may be null."""
        if key in self._data and self._data[key] is None:
            del self._data[key]
            return None
        return self.take(key, kind)

    def take_list(self, key: str, kind: type[T]) -> tuple[T, ...]:
        """A list of values of one type; an absent one is empty."""
        values = self.take_optional(key, list) or []
        return tuple(self._checked(f"{key}[{position}]", value, kind) for position, value in enumerate(values))

    def take_nullable_list(self, key: str, kind: type[T]) -> tuple[T, ...] | None:
        """A list of values of one type; None if it is absent or null."""
        if self._data.get(key) is None:
            self._data.pop(key, None)
            return None
        return self.take_list(key, kind)

    def take_texts(self, key: str) -> tuple[str, ...]:
        """The list of texts of a required key."""
        if key not in self._data:
            raise self.error(key, f"is missing; it must be {_WORDS[list]}")
        return self.take_list(key, str)

    def each(self, key: str) -> list["Reader"]:
        """The list of mappings of a required key."""
        return [self._inner(f"{key}[{position}]", item) for position, item in enumerate(self.take(key, list))]

    def each_optional(self, key: str) -> list["Reader"]:
        """A list of mappings; an absent one is empty."""
        return self.each(key) if key in self._data else []

    def each_nullable(self, key: str) -> list["Reader"] | None:
        """A list of mappings; None if it is absent or null."""
        if self._data.get(key) is None:
            self._data.pop(key, None)
            return None
        return self.each(key)

    def inner(self, key: str) -> "Reader":
        """The mapping of a required key."""
        return self._inner(key, self.take(key, dict))

    def close(self, result: T) -> T:
        """Returns ``result``; raises if a key is unread."""
        for key in self._data:
            raise self.error(format_value(key)[1:-1], "unknown key")
        return result

    def error(self, key: str, why: str) -> Exception:
        """The error to raise for one key."""
        return self._fail(f"{self._path}.{key}" if self._path and key else self._path or key, why)

    def _inner(self, key: str, data: object) -> "Reader":
        return type(self)(f"{self._path}.{key}" if self._path else key, data, self._fail)

    def _checked(self, key: str, value: Any, kind: type[T]) -> T:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"must be {_WORDS[kind]}, found {format_value(value)}")
        if isinstance(value, int) and value < 0:
            raise self.error(key, f"must not be negative, found {format_value(value)}")
        return value
