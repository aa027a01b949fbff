"""The ``repr`` of a value, short enough for one message: written out in full, a few YAML aliases can be a gigabyte."""

from collections.abc import Mapping
from itertools import islice
from reprlib import Repr

_LONGEST = 60
"""Characters of a value in a message."""


class _ShortRepr(Repr):
    """Writes only as many items, levels and characters of a value as a message can show."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 20
        self.maxstring = self.maxlong = self.maxother = 200

    def repr_dict(self, value: dict[object, object], level: int) -> str:
        """Keeps the order of the keys; the base class sorts them."""
        if value and level <= 0:
            return "{...}"
        items = [[self.repr1(part, level - 1) for part in item] for item in islice(value.items(), self.maxdict)]
        parts = [": ".join(item) for item in items] + ["..."] * (len(value) > self.maxdict)
        return f"{{{', '.join(parts)}}}"

    def repr_int(self, value: int, _level: int) -> str:
        """Python refuses to write more than 4300 decimal digits (``sys.int_info``), so large numbers are in hex."""
        return repr(value) if value.bit_length() < 1000 else hex(value)


_SHORT_REPR = _ShortRepr()


def format_value(value: object) -> str:
    """A value as Python writes it, shortened to 60 characters.

    >>> format_value({"all": [1, "x"]})
    "{'all': [1, 'x']}"
    """
    text = _SHORT_REPR.repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def format_found(value: object) -> str:
    """The end of a message, `` (found 'x')``; empty for a mapping, whose keys are visible in the file."""
    return "" if isinstance(value, Mapping) else f" (found {format_value(value)})"
