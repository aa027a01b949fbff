"""Reads classes and constants with their documentation from source files, without importing them."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a class, or a constant of a module: its name, its type or value as written, its documentation."""

    name: str
    written: str
    text: str


@dataclass(frozen=True, slots=True)
class Described:
    """A class: its documentation, and the entries that it declares itself."""

    name: str
    bases: tuple[str, ...]
    text: str
    total: bool
    entries: tuple[Entry, ...]


def classes(file: str) -> dict[str, Described]:
    """The classes of a file by name, in its order. ``total`` is False where a TypedDict says so."""
    found = [node for node in parsed(file).body if isinstance(node, ast.ClassDef)]
    return {node.name: _described(node) for node in found}


def constants(file: str) -> Iterator[Entry]:
    """Constants with a documentation of their own."""
    yield from _entries(parsed(file).body)


def parsed(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text("utf-8"))


def as_markdown(text: str) -> str:
    """Documentation of Python as one paragraph of Markdown: roles and double backquotes become code."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda found: f"`{found[1].rpartition('.')[2]}`", text)
    return re.sub(r"\s+", " ", text.replace("``", "`")).replace("/ <", "/<").strip()


def first_sentence(text: str) -> str:
    return re.split(r"(?<=[a-z`)])\.(?:\s|$)", as_markdown(text.split("\n\n")[0]))[0].rstrip(".")


def cell(text: str) -> str:
    """Text in a table: a bar would end the cell."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def table(head: str, *rows: tuple[str, ...]) -> str:
    """A table; ``head`` is written as in Markdown."""
    columns = head.count("|") - 1
    lines = [f"| {' | '.join(cell(text) for text in row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * columns, *lines]) + "\n"


def _described(node: ast.ClassDef) -> Described:
    total = not any(word.arg == "total" and ast.unparse(word.value) == "False" for word in node.keywords)
    bases = tuple(ast.unparse(base) for base in node.bases)
    return Described(node.name, bases, ast.get_docstring(node) or "", total, tuple(_entries(node.body)))


def _entries(body: list[ast.stmt]) -> Iterator[Entry]:
    for statement, after in zip(body, [*body[1:], None], strict=True):
        text = _documentation(after)
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            value = "" if statement.value is None else ast.unparse(statement.value)
            final = ast.unparse(statement.annotation).startswith("Final")
            yield Entry(statement.target.id, value if final else ast.unparse(statement.annotation), text)


def _documentation(statement: ast.stmt | None) -> str:
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return as_markdown(text)
    return ""
