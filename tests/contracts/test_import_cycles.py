"""No module imports itself, directly or through other modules.

The rule: an import is an edge to the module that defines the imported name. ``from package import name`` is an edge to
``package.name`` if that is a module, else to the ``__init__`` of the package. Imports inside functions and under
``TYPE_CHECKING`` count like all others. The parent packages that Python runs on the way are no edges.
"""

import ast
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "mig_fleet"
FEWEST_MODULES = 200
"""Fewer would mean that the walk misses folders, so that its silence proves nothing."""


def sources() -> dict[str, str]:
    """The text of every module by its name. The links to components, stacks and policy are followed."""
    found = {}
    for folder, _, files in os.walk(ROOT / PACKAGE, followlinks=True):
        for path in (Path(folder) / file for file in files if file.endswith(".py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text("utf-8")
    return found


def imports(source: str, modules: Collection[str]) -> Iterator[str]:
    """The modules, among ``modules``, that define what a source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative imports are not in use here"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                if submodule in modules:
                    yield submodule
                elif node.module in modules:
                    yield str(node.module)


def circles(texts: Mapping[str, str]) -> list[str]:
    """For each module that imports itself, one shortest way round; modules of a circle that is listed are left out."""
    graph = {module: sorted(set(imports(text, texts))) for module, text in texts.items()}
    listed: set[str] = set()
    found = []
    for module in sorted(graph):
        if module not in listed and (way := way_round(graph, module)):
            listed.update(way)
            found.append(" → ".join(way))
    return found


def way_round(graph: Mapping[str, list[str]], module: str) -> list[str]:
    """The shortest path from a module back to itself; empty if there is none."""
    paths = [[module]]
    seen: set[str] = set()
    while paths:
        path = paths.pop(0)
        for imported in graph[path[-1]]:
            if imported == module:
                return [*path, module]
            if imported not in seen:
                seen.add(imported)
                paths.append([*path, imported])
    return []


def test_no_module_imports_itself() -> None:
    texts = sources()
    assert len(texts) >= FEWEST_MODULES
    assert {f"{PACKAGE}.components.pool", f"{PACKAGE}.stacks.program", f"{PACKAGE}.policy.waves"} <= texts.keys()
    found = circles(texts)
    assert not found, "move what both modules need below them:\n" + "\n".join(found)


def test_imports_in_functions_and_for_type_checkers_count() -> None:
    late = "def f():\n    from p.b import x\n"
    guarded = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import p.a\n"
    assert circles({"p": "", "p.a": late, "p.b": guarded}) == ["p.a → p.b → p.a"]


def test_a_name_of_a_package_is_an_import_of_its_init_and_a_submodule_is_not() -> None:
    package = {"p": "from p.a import x\n", "p.a": "x = 1\n", "p.b": "y = 1\n"}
    assert circles({**package, "p.a": "from p import b\n"}) == []
    assert circles({**package, "p.a": "from p import y\n"}) == ["p → p.a → p"]
