"""`from mig_fleet import …`: the names a user's program needs, loaded at first use, known to a type checker."""

import subprocess
import sys
from pathlib import Path

import pytest

import mig_fleet
from tests.packaging.conftest import ROOT

NAMES = ["GpuOperator", "Layout", "MigLayouts", "MigProbe", "Monitoring", "Pool"]
"""A name that was released stays."""
TYPED = """
from mig_fleet import Layout, Pool
layout: Layout = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})
reveal_type(Pool)
reveal_type(layout.config_name)
layout.no_such_attribute
"""


def test_the_public_names_are_these() -> None:
    assert mig_fleet.__all__ == NAMES
    assert set(NAMES) <= set(dir(mig_fleet))


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_the_class_of_that_name(name: str) -> None:
    found = getattr(mig_fleet, name)
    assert isinstance(found, type) and found.__name__ == name


def test_importing_the_package_loads_neither_pulumi_nor_kubernetes() -> None:
    program = (
        "import sys, mig_fleet; "
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('pulumi', 'kubernetes', 'pydantic')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "hint"), [("Pol", "did you mean 'Pool'?"), ("Xyz", "public names: GpuOperator, ")])
def test_an_unknown_name_is_refused_with_the_nearest_name(name: str, hint: str) -> None:
    with pytest.raises(AttributeError, match=r"module 'mig_fleet' has no attribute") as refused:
        getattr(mig_fleet, name)
    assert hint in str(refused.value)
    assert not hasattr(mig_fleet, name)


@pytest.mark.slow
def test_a_type_checker_sees_the_public_names(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(program)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert "def (name: builtins.str" in found or "def (name: str" in found, found
    assert "mig_fleet.components.pool.Pool" in found, found
    assert '"Layout" has no attribute "no_such_attribute"' in found, found
