"""Which files of tests a run with `-m` need not import. To import all of them takes a process eight seconds."""

import re

ONLY = re.compile(r"\w+(?: or \w+)*")
"""`-m "engine or slow"`: tests with one of these marks."""
WITHOUT = re.compile(r"not \w+(?: and not \w+)*")
"""`-m "not engine and not slow"`: tests with none of them."""


def has_no_test_for(text: str, expression: str) -> bool:
    """Whether the expression can choose no test of a file. A mark is written in the file of its test. False for an
    expression that is neither of the two.
    """
    if ONLY.fullmatch(expression):
        return not re.search(rf"\bmark\.({'|'.join(expression.split(' or '))})\b", text)
    if WITHOUT.fullmatch(expression):
        marks = "|".join(each.removeprefix("not ") for each in expression.split(" and "))
        return re.search(rf"^pytestmark\b.*\bmark\.({marks})\b", text, re.MULTILINE) is not None
    return False
