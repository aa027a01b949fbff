"""Which modules of some packages a program imports, found by reading the sources and without running them."""

import ast
import importlib.util
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path


def imported_modules(program: str, packages: Collection[str]) -> list[str]:
    """The module ``program`` and every module of ``packages`` that it imports, directly or not, sorted.

    A package is in the list only if a name is imported from its ``__init__``; to import one of its modules is not
    enough. Imports inside functions count, those under ``if TYPE_CHECKING`` do not. Raises ModuleNotFoundError.
    """
    found: set[str] = set()
    left = [program]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += (name for name in _imports(module) if name.partition(".")[0] in packages)
    return sorted(found)


def module_file(name: str) -> Path:
    """The file of a module, found without running it. Raises ModuleNotFoundError."""
    path = _file(name)
    if path is None:
        raise ModuleNotFoundError(f"the probe needs the Python module '{name}', which is not installed", name=name)
    return path


@cache
def _file(name: str) -> Path | None:
    """None if there is no such module. A package's modules are looked up as files: find_spec would import it."""
    parent, _, last = name.rpartition(".")
    if not parent:
        spec = importlib.util.find_spec(name)
        return Path(spec.origin) if spec is not None and spec.origin is not None else None
    package = _file(parent)
    if package is None or package.name != "__init__.py":
        return None
    candidates = (package.with_name(f"{last}.py"), package.parent / last / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _imports(module: str) -> Iterator[str]:
    for node in _executed_nodes(ast.parse(module_file(module).read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _source(module, node)
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield source if _file(inner) is None else inner


def _source(module: str, node: ast.ImportFrom) -> str:
    """The absolute name of what a ``from`` statement of a module imports from; each dot is one package up."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    keep = len(parts) - node.level + (module_file(module).name == "__init__.py")
    return ".".join([*parts[:keep], *([node.module] if node.module else [])])


def _executed_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from (inner for branch in node.orelse for inner in (branch, *_executed_nodes(branch)))
        else:
            yield node
            yield from _executed_nodes(node)
