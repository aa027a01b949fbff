"""Read a document key by key, strictly: each key asked for once, of one type, none left over."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_WORDS: dict[type, str] = {str: "a text", int: "a whole number", bool: "true or false", list: "a list"}


class Reader:
    """One mapping of a document and its path. ``fail(path, why)`` makes the error that is raised."""

    def __init__(self, path: str, data: object, fail: Callable[[str, str], Exception]) -> None:
        self._path, self._fail = path, fail
        if not isinstance(data, dict):
            raise fail(path, f"must be a mapping, found {data!r:.60}")
        self._data: dict[str, Any] = dict(data)

    def take(self, key: str, kind: type[T]) -> T:
        """The value of a key that must be there."""
        if key not in self._data:
            raise self._fail(self._at(key), "is missing")
        value = self._data.pop(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._fail(self._at(key), f"must be {_WORDS[kind]}, found {value!r:.60}")
        return value

    def take_nullable(self, key: str, kind: type[T]) -> T | None:
        """The value of a key that must be there but may be null."""
        if key in self._data and self._data[key] is None:
            del self._data[key]
            return None
        return self.take(key, kind)

    def take_texts(self, key: str) -> list[str]:
        """A list of texts."""
        values = self.take(key, list)
        for position, value in enumerate(values):
            if not isinstance(value, str):
                raise self._fail(f"{self._at(key)}[{position}]", f"must be a text, found {value!r:.60}")
        return values

    def each(self, key: str) -> list["Reader"]:
        """A list of mappings."""
        return [
            Reader(f"{self._at(key)}[{position}]", item, self._fail)
            for position, item in enumerate(self.take(key, list))
        ]

    def close(self, result: T) -> T:
        """``result``, once nothing is left unread."""
        for key in self._data:
            raise self._fail(self._at(key), "is not a key here")
        return result

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key
