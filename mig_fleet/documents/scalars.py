"""The meaning of a YAML scalar for mig-parted and for Pulumi.

Both are written in Go, and go-yaml differs from PyYAML: for go-yaml ``1e3`` is a number and ``08`` is 8, for PyYAML
both are strings. Source: resolve.go and decode.go of go-yaml v2 and v3.
"""

import base64
import binascii
import math
import re
from datetime import date
from enum import Enum
from typing import Any, Final

BYTE_ORDER_MARK: Final = "\ufeff"


class Dialect(Enum):
    """The reader of a file: mig-parted reads its files with go-yaml v2, Pulumi the stack files with go-yaml v3."""

    MIG_PARTED = "go-yaml v2"
    PULUMI = "go-yaml v3"


_CASES: Final = (str.lower, str.capitalize, str.upper)


def _in_each_case(words: tuple[str, ...], meaning: tuple[str, Any]) -> dict[str, tuple[str, Any]]:
    return {case(word): meaning for word in words for case in _CASES}


_WORDS: Final[dict[str, tuple[str, Any]]] = {
    **_in_each_case(("true",), ("bool", True)),
    **_in_each_case(("false",), ("bool", False)),
    **_in_each_case(("", "~", "null"), ("null", None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), ("float", float("nan"))),
    **{sign + word: ("float", float(f"{sign}inf")) for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}
_YAML_1_1_WORDS: Final[dict[str, tuple[str, Any]]] = {
    **_in_each_case(("y", "yes", "on"), ("bool", True)),
    **_in_each_case(("n", "no", "off"), ("bool", False)),
}
"""Booleans of YAML 1.1, which go-yaml v3 reads as strings."""
_INT = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9][0-9]*|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DAY = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_LONGEST_NUMBER = 400
"""Characters. A longer text is no number of 64 bits, and no Python number is made of it: that would cost the square
of its length."""
_RESOLVED_TAGS = ("", "str", "bool", "int", "float", "null", "timestamp")


class TagError(ValueError):
    """A value that does not match its tag; the text gives the reason."""


def resolve_tagged(text: str, tag: str, dialect: Dialect) -> Any:
    """The value of a scalar with a tag such as ``int`` (for ``!!int``), or with ``""`` if it has none. Raises TagError.

    go-yaml ignores tags that it does not know.
    """
    if tag == "binary":
        try:
            return base64.b64decode(text, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            raise TagError("has the tag !!binary but is not base64") from None
    if tag == "str" or tag not in _RESOLVED_TAGS:
        return text
    kind, value = resolve(text, dialect)
    if tag in ("", kind):
        return value
    if tag == "float" and kind == "int":
        return float(value)
    raise TagError(f"has the tag !!{tag} but the value {text[:40]!r}")


def resolve(text: str, dialect: Dialect) -> tuple[str, Any]:
    """The short tag and the value of a plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text in _YAML_1_1_WORDS and dialect is Dialect.MIG_PARTED:
        return _YAML_1_1_WORDS[text]
    if dialect is Dialect.PULUMI and (day := _DAY.fullmatch(text)):
        return _timestamp(text, *map(int, day.groups()))
    digits = text.replace("_", "")
    if text[:1] in "+-0123456789" and len(digits) <= _LONGEST_NUMBER:
        if re.fullmatch(_INT, digits) and -(1 << 63) <= (number := _integer(digits)) < 1 << 64:
            return "int", number
        if re.fullmatch(_FLOAT, digits):
            return _float(digits, text)
    if text[:1] == "." and len(text) <= _LONGEST_NUMBER and re.fullmatch(_FLOAT, text):
        return _float(text, text)
    return "str", text


def pulumi_key(key: Any) -> str:
    """The text that Pulumi makes of a key: ``1``, ``true``, ``1.5``, ``1e+06``, ``<nil>``."""
    if key is None:
        return "<nil>"
    if isinstance(key, bool):
        return str(key).lower()
    if not isinstance(key, float):
        return str(key)
    if not math.isfinite(key):
        return {"inf": "+Inf", "-inf": "-Inf"}.get(str(key), "NaN")
    digits = next(count for count in range(17) if float(f"{key:.{count}e}") == key)
    text = f"{key:.{digits}e}"
    return text if not -4 <= int(text.partition("e")[2]) < 6 else str(key).removesuffix(".0")


def _timestamp(text: str, year: int, month: int, day: int) -> tuple[str, Any]:
    """A day, which Pulumi writes with a time."""
    try:
        return "timestamp", f"{date(year, month, day)} 00:00:00 +0000 UTC"
    except ValueError:
        return "str", text


def _integer(digits: str) -> int:
    sign, digits = (-1 if digits[0] == "-" else 1), digits.lstrip("+-").lower()
    if len(digits) > 1 and digits[0] == "0" and digits[1] not in "xbo":
        digits = f"0o{digits[1:]}"
    return sign * int(digits, 0)


def _float(digits: str, text: str) -> tuple[str, Any]:
    number = float(digits)
    return ("str", text) if number in (float("inf"), float("-inf")) else ("float", number)
