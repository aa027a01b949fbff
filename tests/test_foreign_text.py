"""One function makes others' text safe for a terminal and a log."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.foreign_text import LIMIT, printable

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=400)
"""Every code point, lone surrogates included."""

INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(ANY_TEXT, st.integers(1, 300))
def test_what_is_returned_is_one_bounded_line_of_visible_characters(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert not {unicodedata.category(character) for character in shown} & INVISIBLE
    assert len(shown.splitlines()) <= 1
    assert shown.encode("utf-8").decode("utf-8") == shown


@given(ANY_TEXT, st.integers(1, 300))
def test_a_second_call_changes_nothing(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert printable(shown, limit) == shown


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=LIMIT))
def test_a_short_plain_text_is_returned_as_it_is(text: str) -> None:
    assert printable(text) == text


@given(ANY_TEXT)
def test_every_text_is_readable_again_from_its_escapes(text: str) -> None:
    plain = text.replace("\\", "/")
    shown = printable(plain, 10 * len(plain) + 1)
    assert shown.encode("ascii", "backslashreplace").decode("unicode_escape") == plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2K\rverified", r"\x1b[2K\rverified"),
        ("\x1b]52;c;cm0gLXJm\x07", r"\x1b]52;c;cm0gLXJm\x07"),
        ("one\ntwo\ttabs", r"one\ntwo\ttabs"),
        ("\x7f\x85\x9b2J", r"\x7f\x85\x9b2J"),
        ("\u202egpj\u2066.exe\u200b\ufeff", r"\u202egpj\u2066.exe\u200b\ufeff"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\ud800\U000e0041", r"\ud800\U000e0041"),
        ("Größe 3g.40gb²", "Größe 3g.40gb²"),
        (ValueError("a\x1b"), r"a\x1b"),
        ("x" * 10_000_000, "x" * (LIMIT - 1) + "…"),
        ("x" * (LIMIT - 2) + "\x1b" * 2, "x" * (LIMIT - 2) + "…"),
        (7, "7"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(text: object, shown: str) -> None:
    assert printable(text) == shown
