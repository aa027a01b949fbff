"""Every stack file of the project, its documentation, examples and tests, also those within Python files."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from mig_fleet.documents import DocumentError, parse
from mig_fleet.stack_file.reading import is_stack_file

FOLDERS = ("stacks", "docs", "examples", "tests")
KEY = "config:"
"""Each stack file has it."""
HAS_KEY = re.compile(rf"""(^\s*|["'\\]n?){KEY}""", re.MULTILINE)
"""At the start of a line, also of one within quotes. To parse a Python file takes a hundred times as long."""


def stack_files() -> dict[str, str]:
    """Place → text, each text once."""
    found: dict[str, str] = {}
    for place, text in _texts():
        if text not in found.values() and _is_stack_file(text):
            found[place] = text
    return found


def _texts() -> Iterator[tuple[str, str]]:
    paths = [path for folder in FOLDERS for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    for path in [Path("README.md"), *paths]:
        if path.suffix in (".yaml", ".yml"):
            yield str(path), path.read_text("utf-8")
        elif path.suffix == ".md":
            for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", path.read_text("utf-8"), re.DOTALL)):
                yield f"{path}, example {number}", block
        elif path.suffix == ".py" and HAS_KEY.search(source := path.read_text("utf-8")):
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and KEY in node.value:
                    yield f"{path}:{node.lineno}", node.value


def _is_stack_file(text: str) -> bool:
    try:
        return is_stack_file(parse("text", text.encode()).data)
    except DocumentError:
        return False
