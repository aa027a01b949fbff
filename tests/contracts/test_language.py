"""No retired word in anything that a user or a reader meets. CONTRIBUTING.md has the words and what to write instead.

Searched are string literals, docstrings, comments and the names of functions and classes in Python files; whole text in
other files; and the help of every command.
"""

import ast
import io
import os
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from mig_fleet.cli.__main__ import main

ROOT = Path(__file__).parents[2]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
TABLE = "### Retired words"
FOLDERS = ("benchmarks", "components", "docs", "mig_fleet", "policy", "stacks", "tests", "tools")
TEXT = (".md", ".toml", ".yaml", ".yml")
FILES = ("CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "README.md", "SECURITY.md", "pyproject.toml")
NOT_SEARCHED = {"docs/faults.md", "tests/contracts/test_language.py"}
"""The page is generated from the table in tests/faults and the product, which are searched; this file has examples."""


@dataclass(frozen=True)
class Word:
    """A retired word: a regular expression in which a space is any white space, and what to write instead."""

    pattern: re.Pattern[str]
    instead: str

    @classmethod
    def of(cls, expression: str, instead: str) -> "Word":
        spaced = expression.replace(" ", r"\s+")
        return cls(re.compile(rf"\b(?:{spaced})\b", re.IGNORECASE), instead)


@dataclass(frozen=True)
class Text:
    """A piece of text and the line at which it begins."""

    file: str
    line: int
    content: str

    def hits(self, words: list[Word]) -> Iterator[str]:
        for word in words:
            for match in word.pattern.finditer(self.content):
                line = self.line + self.content.count("\n", 0, match.start())
                yield f"{self.file}:{line}: {' '.join(match[0].split())!r}; write: {word.instead}"


def table() -> str:
    """The section with the retired words; it contains them all, so it is not searched."""
    text = CONTRIBUTING.read_text()
    return text[text.index(TABLE) :]


def retired() -> list[Word]:
    rows = (re.split(r"(?<!\\)\|", line)[1:3] for line in table().splitlines() if line.startswith("| `"))
    return [
        Word.of(expression.replace(r"\|", "|"), instead.strip())
        for cell, instead in rows
        for expression in re.findall(r"`([^`]+)`", cell)
    ]


def python_texts(file: str, source: str) -> Iterator[Text]:
    yield from (Text(file, line, text) for line, text in _literals_and_names(ast.parse(source)))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    block: list[tokenize.TokenInfo] = []
    for token in comments:
        if block and token.start[0] != block[-1].start[0] + 1:
            yield _comment(file, block)
            block = []
        block.append(token)
    if block:
        yield _comment(file, block)


def _comment(file: str, block: list[tokenize.TokenInfo]) -> Text:
    return Text(file, block[0].start[0], "\n".join(token.string.lstrip("# ") for token in block))


def _literals_and_names(node: ast.AST) -> Iterator[tuple[int, str]]:
    """A formatted string is one text; what is inserted into it is code. Keys of dictionaries are data."""
    match node:
        case ast.Dict():
            for value in node.values:
                yield from _literals_and_names(value)
            return
        case ast.JoinedStr():
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values),
            )
            inserted = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
            for part in inserted:
                yield from _literals_and_names(part)
            return
        case ast.Constant(value=str(text)):
            yield node.lineno, text
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", node.name.replace("_", " "))
            yield node.lineno, words
    for child in ast.iter_child_nodes(node):
        yield from _literals_and_names(child)


def texts(folder: str) -> Iterator[Text]:
    """Everything below a folder that a reader may see; links are not followed, so each file is searched once."""
    for where, _, names in os.walk(ROOT / folder):
        for path in sorted(Path(where, name) for name in names):
            file = path.relative_to(ROOT).as_posix()
            if file in NOT_SEARCHED:
                continue
            if path.suffix == ".py":
                yield from python_texts(file, path.read_text())
            elif path.suffix in TEXT:
                yield Text(file, 1, path.read_text())


def test_the_table_of_retired_words_is_read() -> None:
    words = retired()
    assert len(words) > 40
    text = Text("a.md", 1, "Nobody told\nthe holder:\nthe node was\ncut, and is closed to new pods.")
    assert sorted(hit.split(";")[0] for hit in text.hits(words)) == [
        "a.md:1: 'Nobody'",
        "a.md:1: 'told'",
        "a.md:2: 'holder'",
        "a.md:4: 'closed to new pods'",
        "a.md:4: 'closed to'",
        "a.md:4: 'cut'",
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_has_no_retired_word(folder: str) -> None:
    words = retired()
    assert [hit for text in texts(folder) for hit in text.hits(words)] == []


@pytest.mark.parametrize("file", FILES)
def test_a_file_has_no_retired_word(file: str) -> None:
    content = (ROOT / file).read_text()
    if file == CONTRIBUTING.name:
        content = content.replace(table(), "")
    assert list(Text(file, 1, content).hits(retired())) == []


def helps(command: click.Command, name: str) -> Iterator[Text]:
    context = click.Context(command, info_name=name)
    yield Text(f"{name} --help", 1, command.get_help(context))
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from helps(found, f"{name} {child}")


def test_the_help_of_the_command_line_has_no_retired_word() -> None:
    words = retired()
    assert [hit for text in helps(main, "mig-fleet") for hit in text.hits(words)] == []
