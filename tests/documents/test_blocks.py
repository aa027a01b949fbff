"""YAML in block style that every reader interprets in the same way."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.documents import dump_blocks, parse

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.-/", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc.-/", min_size=1), PLAIN, min_size=1, max_size=3))
def test_it_is_read_back_as_an_equal_value(value: dict[str, Any]) -> None:
    assert yaml.safe_load(dump_blocks(value)) == value


@pytest.mark.parametrize(
    "word", ["y", "N", "no", "on", "7e0", "0o17", "1_000", "1:30", "1g.10gb", ".5", "~", "null", ""]
)
def test_text_that_a_reader_may_take_for_something_else_is_quoted(word: str) -> None:
    line = dump_blocks({"key": word}).removeprefix("key: ").rstrip("\n")
    assert line[0] in "\"'" and line[0] == line[-1]


def test_ordinary_text_is_not_quoted_and_a_value_that_comes_twice_is_written_twice() -> None:
    shared = ["gpu"]
    assert dump_blocks({"first": shared, "second": shared}) == "first:\n- gpu\nsecond:\n- gpu\n"
    assert parse("it", dump_blocks({"a": "b c"}).encode()).data == {"a": "b c"}
