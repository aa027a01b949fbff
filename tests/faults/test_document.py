"""docs/reference/faults.md has every fault of the table, with each line that its test checks.

`test_faults.py` compares the rest of a fault's section with its result.
"""

import re

from tests.faults.all_faults import BY_NAME, FAULTS
from tests.faults.document import DOCUMENT, document, without_quotations
from tests.faults.play import Result

CHANGED = re.compile(r" With the new config: [^.]*\.")
"""The only result that the table does not have."""


def test_the_page_has_every_fault_in_the_order_of_the_table() -> None:
    expected = {
        name: Result("", fault.preview, fault.remedies, fault.written, fault.isolated, (), (), ())
        for name, fault in BY_NAME.items()
    }
    table = CHANGED.sub("", document(FAULTS, expected))
    page = CHANGED.sub("", DOCUMENT.read_text())
    assert without_quotations(page) == without_quotations(table), "`make fault-table` generates it again"


def test_the_page_quotes_every_line_that_the_table_expects() -> None:
    parts = DOCUMENT.read_text().split("\n### ")
    quoted = {part.partition("\n")[0].casefold(): _lines(part) for part in parts}
    missing = [
        (fault.name, line)
        for fault in BY_NAME.values()
        for line in (*fault.preview, *fault.error, *fault.remedies)
        if line not in quoted.get(fault.name.casefold(), ())
    ]
    assert missing == [], "`make fault-table` generates it again"


def _lines(section: str) -> set[str]:
    return {line.strip() for line in section.splitlines()}
