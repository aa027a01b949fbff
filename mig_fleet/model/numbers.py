"""Whole numbers in labels and annotations, which a kubelet, a user or a controller may have written."""

import re

_NATURAL = re.compile(r"[0-9]{1,9}", re.ASCII)


def parse_natural(text: str) -> int | None:
    """A whole number of at most nine ASCII digits; None for any other text: ``int`` accepts digits of every script and
    refuses those that ``str.isdigit`` accepts, and five thousand of them are an error.

    >>> parse_natural("14"), parse_natural("²")
    (14, None)
    """
    return int(text) if _NATURAL.fullmatch(text) else None
