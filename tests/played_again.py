"""What the summary of a run says of tests that passed only the second time."""

from typing import Final

import pytest

SECTION: Final = "played again"


def note(item: pytest.Item, text: str) -> None:
    """Let the summary say what was played again, and why."""
    item.add_report_section("call", SECTION, text)


def summary(passed: list[pytest.TestReport]) -> list[str]:
    """A line for each."""
    return [text.partition("\n")[0] for report in passed for title, text in report.sections if SECTION in title]
