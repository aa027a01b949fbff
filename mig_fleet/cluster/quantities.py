"""Kubernetes quantities of countable resources: the API server writes a thousand as ``1k``."""

import re
from typing import Final

RIGHT: Final = "a quantity such as 8 or 1k, at most 2^63-1"
"""What is right, as the end of a sentence."""

_PLAIN = re.compile(r"[0-9]{1,18}")
_QUANTITY = re.compile(r"[+-]?([0-9]{1,19})?(\.[0-9]{0,19})?([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?")
_LARGEST = 2**63 - 1
"""Kubernetes reduces larger ones to this (apimachinery pkg/api/resource/quantity.go)."""


def parse_count(text: str | int) -> int | None:
    """The number, rounded down; ``None`` for text that is not a quantity of countable things.

    An exponent has at most two digits: to write out ``1e99999999`` takes minutes.

    >>> parse_count("14"), parse_count("1k"), parse_count("many"), parse_count("1e99999999")
    (14, 1000, None, None)
    """
    text = str(text)[:64]
    if _PLAIN.fullmatch(text):
        return int(text)
    if not _QUANTITY.fullmatch(text):
        return None
    from kubernetes.utils.quantity import parse_quantity

    try:
        count = int(parse_quantity(text))
    except (ValueError, ArithmeticError):
        return None
    return count if 0 <= count <= _LARGEST else None
