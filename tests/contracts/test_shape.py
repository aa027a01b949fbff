"""The shape of the house: modules that fit on a few screens, and nothing slow at import."""

import subprocess
import sys
from pathlib import Path

PACKAGES = ("mig_fleet", "components", "stacks", "policy")
LONGEST = 300


def test_no_module_needs_a_table_of_contents() -> None:
    long = {
        str(path): lines
        for package in PACKAGES
        for path in Path(package).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > LONGEST
    }
    assert long == {}, "split it: when a file wants a table of contents, it wants to be a folder"


def test_the_model_of_mig_stands_on_the_standard_library() -> None:
    program = (
        "import sys, mig_fleet.model; "
        "print(sorted({m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    loaded = {name for name in eval(done.stdout) if not name.startswith("_")}
    assert loaded - {"mig_fleet", "site"} <= {"distutils-precedence"}, (
        "the model imports nothing but the standard library"
    )


def test_the_help_of_the_command_line_loads_neither_pulumi_nor_kubernetes() -> None:
    program = (
        "import sys, mig_fleet.cli.__main__; "
        "print([m for m in ('pulumi', 'kubernetes', 'yaml', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
