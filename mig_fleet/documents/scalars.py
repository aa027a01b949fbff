"""What a plain YAML scalar means to the tools behind us.

Their YAML is not PyYAML's: ``1e3`` is a number and ``08`` is 8 for them, and both are texts for PyYAML. Source:
resolve.go of go-yaml v2 and v3.
"""

import re
from enum import Enum
from typing import Any, Final


class Dialect(Enum):
    """A reader of YAML."""

    MIG_PARTED = "go-yaml v2"
    PULUMI = "go-yaml v3"


_CASES: Final = (str.lower, str.capitalize, str.upper)


def _spelled(words: tuple[str, ...], meaning: tuple[str, Any]) -> dict[str, tuple[str, Any]]:
    return {case(word): meaning for word in words for case in _CASES}


_WORDS: Final[dict[str, tuple[str, Any]]] = {
    **_spelled(("true",), ("bool", True)),
    **_spelled(("false",), ("bool", False)),
    **_spelled(("", "~", "null"), ("null", None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), ("float", float("nan"))),
    **{sign + word: ("float", float(f"{sign}inf")) for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}
_OLD_WORDS: Final[dict[str, tuple[str, Any]]] = {
    **_spelled(("y", "yes", "on"), ("bool", True)),
    **_spelled(("n", "no", "off"), ("bool", False)),
}
"""Truth values of YAML 1.1."""
_INT = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9][0-9]*|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def resolve(text: str, dialect: Dialect) -> tuple[str, Any]:
    """What a plain scalar is to a reader: its short tag and value."""
    if text in _WORDS:
        return _WORDS[text]
    if text in _OLD_WORDS and dialect is Dialect.MIG_PARTED:
        return _OLD_WORDS[text]
    plain = text.replace("_", "")
    if text[:1] in "+-0123456789" and len(plain) <= 400:
        if re.fullmatch(_INT, plain) and -(1 << 63) <= (number := _integer(plain)) < 1 << 64:
            return "int", number
        if re.fullmatch(_FLOAT, plain):
            return _float(plain, text)
    if text[:1] == "." and len(text) <= 400 and re.fullmatch(_FLOAT, text):
        return _float(text, text)
    return "str", text


def _integer(plain: str) -> int:
    sign, digits = (-1 if plain[0] == "-" else 1), plain.lstrip("+-").lower()
    if len(digits) > 1 and digits[0] == "0" and digits[1] not in "xbo":
        digits = f"0o{digits[1:]}"
    return sign * int(digits, 0)


def _float(plain: str, text: str) -> tuple[str, Any]:
    number = float(plain)
    return ("str", text) if number in (float("inf"), float("-inf")) else ("float", number)
