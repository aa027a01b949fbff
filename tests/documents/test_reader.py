"""What the reader makes of a text: values, lines, limits, and the two dialects."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mig_fleet.documents import MAX_BYTES, MAX_DEPTH, MAX_VALUES, DocumentError, dump, open_document, parse


def read(text: str) -> Any:
    return parse("file", text.encode()).data


def test_a_stack_file_is_read_as_pulumi_reads_it_and_a_mig_parted_file_as_mig_parted_does() -> None:
    text = "base: &base {a: 1, b: 1}\nconfig: {word: on, number: 08, yes: {a: 2, <<: *base}}\n"
    document = parse("x", text.encode())
    assert document.data["config"] == {"word": "on", "number": 8, "yes": {"a": 2, "b": 1}}
    assert document.ignored == [], "to override a merged value is no mistake"
    parted = read(text.replace("config", "mig-configs"))
    assert parted["mig-configs"] == {"word": True, "number": 8, "true": {"a": 1, "b": 1}}


@pytest.mark.parametrize("count", ["! 7", '! "7"', "!<!> 7", "&a ! 7", "! &a 7", "!\n    7", "&a # !\n    ! 7"])
def test_a_tag_without_a_name_makes_a_number_a_string_for_mig_parted_only(count: str) -> None:
    assert read(f"version: v1\nx: {count}\nz: &b 7 # !\n") == {"version": "v1", "x": "7", "z": 7}
    assert read(f"config:\n  x: {count}\n")["config"] == {"x": "7" if '"' in count else 7}


def test_a_byte_order_mark_is_a_letter_except_at_the_start() -> None:
    assert read("\ufeffversion: v1\n") == {"version": "v1"}
    assert read("---\n\ufeffversion: \U00010000\n") == {"\ufeffversion": "\U00010000"}


def test_an_empty_file_is_null() -> None:
    assert read("") is None
    assert read("# nothing\n") is None
    assert parse("file", b"").at("version") == "file", "there is no line to name"


def test_a_path_is_found_at_its_line_or_at_that_of_its_nearest_parent() -> None:
    document = parse("f", b"mig-configs:\n  dense:\n    - devices: all\n      mig-devices:\n        1g.10gb: 7\n")
    assert document.at("mig-configs.dense[0].mig-devices.1g.10gb") == "f:5"
    assert document.at("mig-configs.dense[0].mig-enabled") == "f:3"
    assert document.at("mig-configs.dense[7]") == "f:2"
    assert document.at("version") == "f:1"


def test_a_key_and_a_scalar_are_found_in_the_text() -> None:
    text = "# é 🎉\na: &x {'3g.40gb':  2} # c\nb: [!!int 7, *x]\nc: *x\n"
    root = parse("f", text.encode()).root
    assert root is not None
    profile, tagged = root.children[".a"].children[".3g.40gb"], root.children[".b"].children["[0]"]
    assert [profile.key and text[slice(*profile.key)], profile.scalar and text[slice(*profile.scalar)]] == [
        "'3g.40gb'",
        "2",
    ]
    assert tagged.key is None and tagged.scalar is not None and text[slice(*tagged.scalar)] == "!!int 7"
    assert root.children[".c"].scalar is None and root.children[".c"].children == {}, "an alias is no place of its own"


def test_a_path_into_an_alias_is_found_at_the_alias() -> None:
    document = parse("f", b"a: &a\n  x: 1\nb:\n  *a\n")
    assert document.at("b.x") == "f:3"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "cannot be read: No such file or directory"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: path.write_bytes(b"x: 1\n\xff\xfe"), ":2: is not UTF-8"),
    ],
    ids=["no file", "a folder", "not UTF-8"],
)
def test_a_path_without_a_text_file_is_refused(make: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "layouts.yaml"
    make(path)
    with pytest.raises(DocumentError) as refused:
        open_document(path)
    assert str(refused.value).startswith(str(path)) and reason in str(refused.value)


def test_a_file_of_exactly_the_limits_is_read() -> None:
    assert read("#" * MAX_BYTES) is None
    assert len(read(f"[{'x,' * (MAX_VALUES - 1)}]")) == MAX_VALUES - 1
    with pytest.raises(DocumentError, match=f":1: has more than {MAX_VALUES} values"):
        read(f"[{'x,' * MAX_VALUES}]")
    deep = read(f"{'[' * MAX_DEPTH}x{']' * MAX_DEPTH}")
    for _ in range(MAX_DEPTH):
        (deep,) = deep
    assert deep == "x"


def test_an_alias_counts_as_if_its_value_were_written_out() -> None:
    half = MAX_DEPTH // 2
    text = f"a: &a {'[' * half}x{']' * half}\nb: {'[' * (half - 1)}*a{']' * (half - 1)}\n"
    assert read(text)
    with pytest.raises(DocumentError, match=f":2: is nested more than {MAX_DEPTH} levels deep"):
        read(text.replace("b: ", "b: [").replace("*a", "*a]"))


keys = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


@settings(deadline=None, derandomize=True)
@given(values)
def test_what_is_written_is_read_back_as_equal(value: Any) -> None:
    assert read(f"mig-configs: {dump(value)}\n") == {"mig-configs": value}
    assert read(f"config: {dump(value)}\n") == {"config": value}


@pytest.mark.parametrize("text", ["7e0", "0o7", "y", "08", "1:10", "~", "<<", "", "2001-01-01", "\ufeff", "\x85\x00"])
def test_a_string_is_written_so_that_it_stays_a_string(text: str) -> None:
    assert read(dump({text: text})) == {text: text}
