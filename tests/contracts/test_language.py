"""No retired word in anything that a user or a reader meets. CONTRIBUTING.md has the words and what to write instead.

Searched are string literals, keys of dictionaries, docstrings, comments, and every name that a Python file gives to a
function, class, parameter, variable or attribute; the whole text of other files; all paths; and the help of every
command.
"""

import ast
import io
import os
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import pytest

from mig_fleet.cli.__main__ import main

ROOT = Path(__file__).parents[2]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
TABLE = "### Retired words"
FOLDERS = (
    ".github",
    "benchmarks",
    "changelog.d",
    "components",
    "docs",
    "examples",
    "mig_fleet",
    "plugin",
    "policy",
    "stacks",
    "templates",
    "tests",
    "tools",
)
TEXT = (".c", ".go", ".h", ".md", ".sh", ".toml", ".tpl", ".yaml", ".yml")
FILES = (
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "MANIFEST.in",
    "Makefile",
    "Pulumi.yaml",
    "README.md",
    "SECURITY.md",
    "__main__.py",
    "pyproject.toml",
)
NOT_SEARCHED = {"tests/contracts/test_language.py"}
"""It has examples of retired words."""
KEYS_THAT_STAY = {
    ("mig_fleet/model/layouts/layout.py", "cuts"): "it is hashed: another key would rename every config of every stack",
}
"""File and key of a dictionary → why the key keeps a retired word."""


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

    def hits(self) -> Iterator[str]:
        if not any_word().search(self.content):
            return
        for word in retired():
            for match in word.pattern.finditer(self.content):
                line = self.line + self.content.count("\n", 0, match.start())
                yield f"{self.file}:{line}: {' '.join(match[0].split())!r}; write: {word.instead}"


def table() -> str:
    """The section with the retired words; it contains them all, so it is not searched."""
    text = CONTRIBUTING.read_text()
    return text[text.index(TABLE) :]


@cache
def retired() -> tuple[Word, ...]:
    rows = (re.split(r"(?<!\\)\|", line)[1:3] for line in table().splitlines() if line.startswith("| `"))
    return tuple(
        Word.of(expression.replace(r"\|", "|"), instead.strip())
        for cell, instead in rows
        for expression in re.findall(r"`([^`]+)`", cell)
    )


@cache
def any_word() -> re.Pattern[str]:
    """Matches where one of the retired words does. One search is ten times faster than one for each word."""
    return re.compile("|".join(word.pattern.pattern for word in retired()), re.IGNORECASE)


def python_texts(file: str, source: str) -> Iterator[Text]:
    nodes = _nodes(ast.parse(source))
    yield from (Text(file, line, text) for line, text in _literals(nodes))
    yield from (Text(file, line, _words(key)) for line, key in _keys(nodes) if (file, key) not in KEYS_THAT_STAY)
    names: dict[str, int] = {}
    for line, name in _names(nodes):
        names.setdefault(name, line)
    yield from (Text(file, line, _words(name)) for name, line in names.items())
    if any_word().search("\n".join(_behind_number_signs(source))):
        yield from _comments(file, source)


def _behind_number_signs(source: str) -> Iterator[str]:
    """Every comment, and what else is behind a ``#``. Only a file with a hit here needs Python's slow tokenizer."""
    for line in source.splitlines():
        _, sign, text = line.partition("#")
        if sign:
            yield text.lstrip("# ")


def _comments(file: str, source: str) -> Iterator[Text]:
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


def _words(name: str) -> str:
    """``closed node`` for ``closed_node`` and ``closedNode``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.replace("_", " "))


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """The tree and everything below it, outer nodes first; :func:`ast.walk` takes twice as long."""
    found = [tree]
    for node in found:
        for field in node._fields:
            match getattr(node, field, None):
                case list(values):
                    found += [value for value in values if isinstance(value, ast.AST)]
                case ast.AST() as value:
                    found.append(value)
    return found


def _literals(nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    """Line and text, without the keys of dictionaries. A formatted string is one text; what is inserted is code."""
    no_literals: set[int] = set()
    for node in nodes:
        match node:
            case ast.Dict():
                no_literals.update(id(key) for key in node.keys)
            case ast.JoinedStr():
                no_literals.update(id(part) for part in node.values)
                parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
                yield node.lineno, "".join(parts)
            case ast.Constant(value=str(text)) if id(node) not in no_literals:
                yield node.lineno, text


def _keys(nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    for node in nodes:
        for key in node.keys if isinstance(node, ast.Dict) else ():
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.lineno, key.value


def _names(nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    """Every name where the file gives it, and the keywords of calls; not the names that it only reads."""
    for node in nodes:
        match node:
            case ast.FunctionDef(name=str(name)) | ast.AsyncFunctionDef(name=str(name)) | ast.ClassDef(name=str(name)):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=str(name)) | ast.keyword(arg=str(name)) | ast.alias(asname=str(name)):
                yield node.lineno, name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


def texts(folder: str) -> Iterator[Text]:
    """Everything below a folder that a reader may see; links are not followed, so each file is searched once."""
    for where, folders, names in os.walk(ROOT / folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for path in sorted(Path(where, name) for name in names):
            file = path.relative_to(ROOT).as_posix()
            if file not in NOT_SEARCHED:
                yield from file_texts(file)


def file_texts(file: str) -> Iterator[Text]:
    yield Text(file, 0, _words(file))
    path = ROOT / file
    if path.suffix == ".py":
        yield from python_texts(file, path.read_text("utf-8"))
    elif path.suffix in TEXT or file in FILES:
        content = path.read_text("utf-8")
        yield Text(file, 1, content.replace(table(), "") if path == CONTRIBUTING else content)


def test_the_table_of_retired_words_is_read() -> None:
    assert len(retired()) > 40
    text = Text("a.md", 1, "Nobody told\nthe holder:\nthe node was\ncut, and is closed to new pods.")
    assert sorted(hit.split(";")[0] for hit in text.hits()) == [
        "a.md:1: 'Nobody'",
        "a.md:1: 'told'",
        "a.md:2: 'holder'",
        "a.md:4: 'closed to new pods'",
        "a.md:4: 'closed to'",
        "a.md:4: 'cut'",
    ]


PLANTED = """
def recut(cut, *, agreement): ...
class BadDay: ...
for holder in gates: self.told = {"closedNodes": f"a wish {shall}"}  # nobody
try: call(barrier=1)
except OSError as unwell: from a import b as spoken
match x:
    case [heard, *anew]: ...
"""
FOUND = (
    *("recut", "cut", "agreement", "Bad Day", "holder", "told", "closed Nodes", "wish"),
    *("nobody", "barrier", "unwell", "spoken", "heard", "anew"),
)


def test_names_keys_literals_and_comments_of_a_python_file_are_searched() -> None:
    hits = [hit for text in python_texts("a.py", PLANTED) for hit in text.hits()]
    assert {hit.split("'")[1] for hit in hits} == set(FOUND), "what is only read is found where it is defined"
    assert len(hits) == len(FOUND)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_has_no_retired_word(folder: str) -> None:
    assert [hit for text in texts(folder) for hit in text.hits()] == []


@pytest.mark.parametrize("file", FILES)
def test_a_file_has_no_retired_word(file: str) -> None:
    assert [hit for text in file_texts(file) for hit in text.hits()] == []


@pytest.mark.parametrize(("file", "key"), KEYS_THAT_STAY)
def test_a_key_that_keeps_a_retired_word_still_exists(file: str, key: str) -> None:
    assert key in {found for _, found in _keys(_nodes(ast.parse((ROOT / file).read_text("utf-8"))))}


def helps(command: click.Command, name: str) -> Iterator[Text]:
    context = click.Context(command, info_name=name)
    yield Text(f"{name} --help", 1, command.get_help(context))
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from helps(found, f"{name} {child}")


def test_the_help_of_the_command_line_has_no_retired_word() -> None:
    assert [hit for text in helps(main, "mig-fleet") for hit in text.hits()] == []
