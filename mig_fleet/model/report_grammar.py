"""What the values in a report may be. A report is written on a node, which its owner may control, and read where an
update decides about all nodes.
"""

import re
from typing import Any, Final, NamedTuple, TypeVar

from mig_fleet.model.reading import Reader
from mig_fleet.model.short_repr import format_value

T = TypeVar("T")

LONGEST_TEXT: Final = 1000
"""Characters of a text: of an error, of an annotation that the probe repeats."""

LARGEST: Final = 2**31 - 1
"""Of a number: of MiB, of an index."""

MOST_INSTANCES: Final = 1024
"""GPU instances of a node: a short text may repeat those of one GPU for many others."""


class Grammar(NamedTuple):
    """A regular expression for the whole text, and what is right in words."""

    pattern: str
    what: str


GRAMMARS: Final = {
    "node": Grammar(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", "a node's name"),
    "uuid": Grammar(r"GPU-[0-9A-Za-z-]{1,91}", "a GPU's UUID, such as GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f"),
    "mig_uuid": Grammar(r"MIG-[0-9A-Za-z/-]{1,120}", "the UUID of a MIG device, which begins with MIG-"),
    "pci_id": Grammar(r"0x[0-9A-F]{8}", "a PCI device ID, such as 0x233010DE"),
    "profile": Grammar(
        r"(?:[0-9]{1,2}c\.)?[0-9]{1,2}g\.[0-9]{1,4}gb(?:[+-][A-Za-z0-9.,]{1,40})?|unknown\([0-9]{1,10}\)",
        "a profile, such as 1g.10gb, or unknown(NUMBER)",
    ),
}
"""By key. Any other text is printable and has at most :data:`LONGEST_TEXT` characters."""

PRINTABLE: Final = f"a printable text of at most {LONGEST_TEXT} characters"


class ReportReader(Reader):
    """Reads a mapping of a report, and checks its texts and numbers."""

    def _checked(self, key: str, value: Any, kind: type[T]) -> T:
        checked = super()._checked(key, value, kind)
        if isinstance(value, int) and value > LARGEST:
            raise self.error(key, f"must be at most {LARGEST}, found {format_value(value)}")
        if isinstance(value, str):
            grammar = GRAMMARS.get(key)
            if grammar and not re.fullmatch(grammar.pattern, value):
                raise self.error(key, f"must be {grammar.what}, found {format_value(value)}")
            if not value.isprintable() or len(value) > LONGEST_TEXT:
                raise self.error(key, f"must be {PRINTABLE}, found {format_value(value)}")
        return checked
