"""What a plain YAML scalar means to go-yaml v2, which reads for mig-parted.

Its YAML is not PyYAML's: ``y`` is true, ``1e3`` a number and ``08`` is 8 for the one, and all three are texts for the
other. Source: go-yaml v2 resolve.go.
"""

import re
from typing import Any, Final

_CASES: Final = (str.lower, str.capitalize, str.upper)


def _spelled(words: tuple[str, ...], meaning: tuple[str, Any]) -> dict[str, tuple[str, Any]]:
    return {case(word): meaning for word in words for case in _CASES}


_WORDS: Final[dict[str, tuple[str, Any]]] = {
    **_spelled(("y", "yes", "true", "on"), ("bool", True)),
    **_spelled(("n", "no", "false", "off"), ("bool", False)),
    **_spelled(("", "~", "null"), ("null", None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), ("float", float("nan"))),
    **{sign + word: ("float", float(f"{sign}inf")) for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}
_INT = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9][0-9]*|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def resolve(text: str) -> tuple[str, Any]:
    """What a plain scalar is to go-yaml v2: its short tag and value."""
    if text in _WORDS:
        return _WORDS[text]
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
