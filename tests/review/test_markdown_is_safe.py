"""Text of others stays text: no name, message or slice changes the structure of a comment, or mentions anyone.

markdown-it parses the comments as GitHub does, tables included; what GitHub finds in the rendered text (mentions,
issues, addresses) is searched in the text outside code.
"""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mig_fleet.review.markdown import MARKER, to_markdown
from mig_fleet.review.markdown_text import code, sentence
from mig_fleet.review.review import Review
from tests.review.reviews import a_review

HOSTILE = [
    "@team/admins",
    "@everyone fixes #1, fixes owner/repo#2, GH-3",
    "**bold** _it_ `code` ~~old~~ ![x](y) [a](javascript:alert)",
    "<script>alert(1)</script><!-- --><details><img src=x onerror=y>",
    "--> <!-- mig-fleet review: other/stack -->",
    "| a | b |\n|---|---|\n",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "```\nfence",
    "~~~",
    "---",
    "===",
    "    indented",
    "a\\|b\\`c\\",
    "``` `` `",
    "&lt;b&gt; &#64;x &amp;",
    "https://evil.example/x www.evil.example me@evil.example",
    "/close",
    "$x$ $$y$$ %1 !2 ~bug",
    "\u202egnirts\u202c \x1b[2K \u2028 \u200b",
    "[ref]: https://evil.example",
    "",
]
PARSER = MarkdownIt("commonmark").enable("table").enable("strikethrough")
REFERENCE = re.compile(r"(?:^|[^\w&])@\w|#\d|\bGH-\d|\bhttps?://|\bwww\.\w|[!$%~]\d")


def with_text(value: Any, text: str, keep: tuple[str, ...] = ("level", "on_user_pods", "on_stranded_pods")) -> Any:
    """The value with every text in it replaced; choices that are not text of others stay."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return text
    if is_dataclass(value) and not isinstance(value, type):
        kept = {*keep, "on_failure", "on_delete"}
        names = [each.name for each in fields(value) if each.name not in kept]
        return replace(value, **{name: with_text(getattr(value, name), text) for name in names})
    if isinstance(value, tuple):
        return tuple(with_text(each, text) for each in value)
    return value


def tokens(text: str) -> Iterator[Token]:
    for token in PARSER.parse(text):
        yield from [token, *(token.children or [])]


def structure(text: str) -> list[tuple[str, str]]:
    """Every element of the page, without its text."""
    return [(token.type, token.tag) for token in tokens(text) if token.type not in ("text", "code_inline", "softbreak")]


def html_of(text: str) -> list[str]:
    """The HTML, of which a comment has only the marker and folded parts."""
    return [token.content for token in tokens(text) if token.type.startswith("html")]


def prose(text: str) -> str:
    """The text outside code, in which GitHub looks for mentions."""
    return "\n".join(token.content for token in tokens(text) if token.type == "text")


def check(review: Review, text: str) -> None:
    """The comment about ``text`` is built like one about a harmless word."""
    hostile, harmless = to_markdown([with_text(review, text)]), to_markdown([with_text(review, "word")])
    assert structure(hostile) == structure(harmless)
    own = re.compile(r"<summary>[\w ,.:()-]+</summary>|</?details>|<!-- mig-fleet review: [\w/.%~-]+ -->|\s")
    assert not [html for html in html_of(hostile) if own.sub("", html)]
    assert not REFERENCE.search(prose(hostile)), prose(hostile)
    assert hostile.count(MARKER) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_changes_nothing_of_a_comment(text: str) -> None:
    check(a_review(), text or "word")


@given(st.text(st.sampled_from("@#`|*_~<>[]()!\\-+=.:/&$%\n\t\r 1ab\u2028\u202e{}'\""), min_size=1, max_size=40))
@settings(max_examples=min(150, 2 * settings().max_examples))
def test_no_text_changes_anything_of_a_comment(text: str) -> None:
    check(a_review(), text)


@given(st.text(max_size=60))
@settings(max_examples=min(300, 3 * settings().max_examples))
def test_a_name_is_one_piece_of_code_and_a_sentence_one_paragraph(text: str) -> None:
    kinds = [token.type for token in tokens(f"- {code(text)}")]
    assert kinds.count("code_inline") <= 1 and "html_inline" not in kinds and kinds.count("paragraph_open") == 1
    kinds = [token.type for token in tokens(f"- {sentence(text)}")]
    assert not {"html_inline", "html_block", "link_open", "em_open", "strong_open"} & {*kinds}
    assert kinds.count("list_item_open") == 1 and "heading_open" not in kinds
