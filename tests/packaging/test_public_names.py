"""`from mig_fleet import …`: the names a user's program needs, loaded at first use, known to a type checker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mig_fleet
from tests.packaging.conftest import ROOT
from tests.packaging.user_program import FILES

NAMES = [
    "ClusterOwner",
    "DeviceClasses",
    "Fleet",
    "FleetRefused",
    "GpuOperator",
    "Layout",
    "MigLayouts",
    "MigProbe",
    "Monitoring",
    "Pool",
]
"""A name that was released stays."""


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


@pytest.mark.parametrize(("name", "hint"), [("Pol", "did you mean 'Pool'?"), ("Xyz", "public names: ClusterOwner, ")])
def test_an_unknown_name_is_refused_with_the_nearest_name(name: str, hint: str) -> None:
    with pytest.raises(AttributeError, match=r"module 'mig_fleet' has no attribute") as refused:
        getattr(mig_fleet, name)
    assert hint in str(refused.value)
    assert not hasattr(mig_fleet, name)


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first run finds in the packages."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra_line", "errors"),
    [
        ("", ()),
        ("pool.no_such_attribute", ('"Pool" has no attribute "no_such_attribute"',)),
        ('Pool("other", {"gpu": 100})', ("Missing keys",)),
    ],
    ids=["correct", "an unknown attribute", "missing arguments"],
)
def test_a_type_checker_knows_the_public_names(
    extra_line: str, errors: tuple[str, ...], tmp_path: Path, mypy_cache: Path
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}{extra_line}\n" if name == "__main__.py" else text)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "__main__.py"]
    # The packages of the user are found beside the program; mig_fleet is found in this repository.
    environment = {**os.environ, "MYPYPATH": str(tmp_path), "MYPY_CACHE_DIR": str(mypy_cache)}
    printed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False).stdout
    assert [error for error in errors if error not in printed] == [], printed
    assert bool(errors) or "Success" in printed, printed
