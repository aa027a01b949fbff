"""Which files of tests a run with `-m` need not import. To import all of them takes a process eight seconds."""

import re

_MARK = "(?:engine|slow|conformance)"
"""The marks that are written in the file of their test."""
ONLY = re.compile(rf"{_MARK}(?: or {_MARK})*")
"""`-m "engine or slow"`: tests with one of these marks."""
WITHOUT = re.compile(rf"not {_MARK}(?: and not {_MARK})*")
"""`-m "not engine and not slow"`: tests with none of them."""


def has_no_test_for(text: str, expression: str) -> bool:
    """Whether the expression can choose no test of a file; False for an expression that is neither of the two."""
    if ONLY.fullmatch(expression):
        return not re.search(rf"\bmark\.({'|'.join(expression.split(' or '))})\b", text)
    if WITHOUT.fullmatch(expression):
        marks = "|".join(each.removeprefix("not ") for each in expression.split(" and "))
        return re.search(rf"^pytestmark\b.*\bmark\.({marks})\b", text, re.MULTILINE) is not None
    return False
