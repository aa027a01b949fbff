"""The shape of the package: short modules, a model without dependencies, and nothing slow at import."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mig_fleet"
LINKED = ("components", "policy", "stacks")
"""Folders at the top that are also reached as packages of mig_fleet, by symbolic links."""
LONGEST = 250
"""Lines of a module. Only Python counts: the C of the simulated driver follows NVIDIA's header."""


def modules() -> Iterator[Path]:
    """Every Python file of the package; the links to components, policy and stacks are followed."""
    for folder, _, files in os.walk(PACKAGE, followlinks=True):
        yield from (Path(folder) / file for file in sorted(files) if file.endswith(".py"))


def test_every_module_is_counted_once() -> None:
    found = [path.resolve() for path in modules()]
    assert len(found) == len(set(found))
    assert {ROOT / folder / "__init__.py" for folder in LINKED} <= set(found)


def test_a_module_is_short() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in modules()}
    long = {path: count for path, count in lines.items() if count > LONGEST}
    assert long == {}, "split it: a module that needs a table of contents must be a folder"


def test_the_model_needs_only_the_standard_library() -> None:
    program = (
        "import json, sys, mig_fleet.model; "
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names))))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    loaded = {name for name in json.loads(done.stdout) if not name.startswith("_")}
    assert loaded - {"mig_fleet", "site"} <= {"distutils-precedence"}


def test_the_help_of_the_command_line_loads_neither_pulumi_nor_kubernetes() -> None:
    program = (
        "import sys, mig_fleet.cli.__main__; "
        "print([m for m in ('pulumi', 'kubernetes', 'yaml', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
