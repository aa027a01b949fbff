"""Properties of a resource as the engine sends them, and as our providers read them.

Secrets and values that are not known yet have a form of their own in the protocol (pulumi v3.259.0
sdk/go/common/resource/sig/sig.go, sdk/go/common/resource/plugin/rpc.go). A provider gets plain values; what it returns
at the place of a secret is a secret again, so that the state and the diff never have it in clear.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value
from pulumi.output import Unknown

Path = tuple[str, ...]

UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
NOT_KNOWN: Final = Unknown()  # type: ignore[no-untyped-call]
KIND: Final = "4dabf18193072939515e22adb298388d"
"""The key that says what a mapping stands for."""
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


@dataclass(frozen=True, slots=True)
class Properties:
    """Plain values; unknown ones are :class:`pulumi.output.Unknown`, numbers are floats, as in dynamic providers."""

    values: dict[str, Any] = field(default_factory=dict)
    secrets: frozenset[Path] = frozenset()
    """Where secrets are: the keys to each. One that is in a list makes the list secret."""

    @classmethod
    def read(cls, struct: Struct) -> "Properties":
        """Keys without a value are left out, as in the SDK."""
        secrets: set[Path] = set()
        return cls(_mapping(struct, (), secrets), frozenset(secrets))

    def secret_texts(self) -> Iterator[str]:
        """Every text in a secret."""
        for path in self.secrets:
            yield from _texts(_at(self.values, path))


def write(values: dict[str, Any], secrets: Iterable[Path] = ()) -> Struct:
    """The other direction. What is at one of the paths becomes a secret."""
    struct, hidden = Struct(), frozenset(secrets)
    for key, value in values.items():
        if value is not None:
            struct.fields[key].CopyFrom(_value_of(value, (key,), hidden))
    return struct


def _mapping(struct: Struct, path: Path, secrets: set[Path]) -> dict[str, Any]:
    read = ((key, _read(value, (*path, key), secrets)) for key, value in struct.fields.items())
    return {key: value for key, value in read if value is not None}


def _read(value: Value, path: Path, secrets: set[Path]) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return _read_struct(value.struct_value, path, secrets)
        case "list_value":
            inner: set[Path] = set()
            found = [_read(each, path, inner) for each in value.list_value.values]
            secrets |= {path} if inner else set()
            return found
        case "string_value":
            return NOT_KNOWN if value.string_value == UNKNOWN else value.string_value
        case "number_value":
            return value.number_value
        case "bool_value":
            return value.bool_value
    return None


def _read_struct(struct: Struct, path: Path, secrets: set[Path]) -> Any:
    kind = struct.fields[KIND].string_value if KIND in struct.fields else ""
    if kind == SECRET or (kind == OUTPUT and struct.fields["secret"].bool_value):
        secrets.add(path)
    if kind == OUTPUT and "value" not in struct.fields:
        return NOT_KNOWN
    return _read(struct.fields["value"], path, secrets) if kind in (SECRET, OUTPUT) else _mapping(struct, path, secrets)


def _value_of(value: Any, path: Path, secrets: frozenset[Path]) -> Value:
    if path in secrets:
        plain = _value_of(value, path, secrets - {path})
        return Value(struct_value=Struct(fields={KIND: Value(string_value=SECRET), "value": plain}))
    if isinstance(value, Unknown):
        return Value(string_value=UNKNOWN)
    if isinstance(value, dict):
        fields = {key: _value_of(each, (*path, key), secrets) for key, each in value.items()}
        return Value(struct_value=Struct(fields=fields))
    if isinstance(value, list | tuple):
        return Value(list_value=ListValue(values=[_value_of(each, (), frozenset()) for each in value]))
    if value is None:
        return Value(null_value=NULL_VALUE)
    if isinstance(value, bool):
        return Value(bool_value=value)
    return Value(number_value=value) if isinstance(value, int | float) else Value(string_value=str(value))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
