"""A regular expression that Python and Prometheus (RE2) read alike.

Prometheus refuses a whole file of rules for one expression that it cannot read, and only Python can check one here. So
only the syntax that both share is accepted. Source: Go, ``regexp/syntax`` (its doc comment, and ``parse.go``).
"""

import re
from typing import Final

from mig_fleet.model.short_repr import format_value

LONGEST: Final = 250
"""Characters. Both libraries limit how deep groups are nested; so few characters cannot reach either limit."""

_COUNT = r"(?:0|[1-9]\d{0,2}|1000)"
"""RE2 repeats at most 1000 times, groups within groups included: so only a character may have a count."""
_ESCAPED = r"\\[dswDSW!-/:-@\[-`{-~]"
_CONTROL = r"\x00-\x1f\x7f"
_CLASS = rf"\[\^?+(?:(?!--|&&|\|\||~~)(?:{_ESCAPED}|[^\\\[\]{_CONTROL}]))+\]"
"""Python warns that it may read a doubled ``--``, ``&&``, ``||`` or ``~~`` in another way one day."""
_CHARACTER = rf"(?:[^\\\[\](){{}}*+?|^${_CONTROL}]|{_ESCAPED}|{_CLASS})(?:[*+?]|\{{{_COUNT}(?:,{_COUNT}?)?\}})?"
_SHARED = re.compile(rf"(?:{_CHARACTER}\??|\((?:\?:|(?!\?))|\)(?:[*+?]\??)?|[|^$])*+", re.ASCII)

_MUST_BE = "must be a regular expression of Prometheus (RE2)"
_ACCEPTED = (
    r"letters, ., [a-z], [^a-z], \d, \w, \s, |, (…), (?:…), *, +, ?, ^ and $, {1,3} after one character or [a-z], and "
    r"other characters after \, such as \."
)


def verified_regex(value: str) -> str:
    """The value; raises ValueError if Python or Prometheus cannot read it, or if it matches an empty text."""
    if len(value) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} characters")
    read = _SHARED.match(value)
    if rest := value[read.end() if read else 0 :]:
        raise ValueError(f"{_MUST_BE}; accepted are {_ACCEPTED}, not {format_value(rest)}")
    try:
        found = re.compile(value, re.ASCII)
    except re.error as exc:
        raise ValueError(f"{_MUST_BE}: {exc}") from None
    if found.fullmatch(""):
        raise ValueError("must not match an empty text: series without the label would match, too")
    return value
