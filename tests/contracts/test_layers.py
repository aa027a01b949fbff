"""The contracts on imports in pyproject.toml are really checked: each one reports every violation that is planted.

A contract whose packages are not found (another root, a renamed folder) analyses nothing and is kept.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
FEWEST_MODULES = 200
TOP_LEVEL_NAMES = ("cli", "components", "mig", "policy", "probe", "simulator", "stacks", "toolchain")
"""Folders of this repository, of today or earlier, that an import without the prefix ``mig_fleet`` would name."""


@dataclass(frozen=True)
class Violation:
    """An import that breaks a contract."""

    contract: str
    module: str
    imports: str
    circle: str = ""
    """How a circle is reported: by the packages of which it consists."""

    def __str__(self) -> str:
        return f"{self.module} imports {self.imports}"

    @property
    def line(self) -> str:
        """How import-linter reports this very import."""
        return self.circle or rf"{re.escape(self.module)} -> {re.escape(self.imports)} \(l\.\d+\)"


DOWNWARDS = "imports point downwards"
NO_MIG = "the client of the cluster knows no MIG"
MODEL_ONLY = "documents, policies, probe, simulator and monitoring stand on the model"
COMMAND_LINE = "only the command line uses the toolchain and the simulator"
WITHOUT_PULUMI = "the command line runs without what Pulumi sees"
NO_CIRCLE = "no package has a circle of imports"
VIOLATIONS = (
    Violation(DOWNWARDS, "mig_fleet.rollout.batching", "mig_fleet.components.pool"),
    Violation(DOWNWARDS, "mig_fleet.stack_file.fleet", "mig_fleet.components.pool"),
    Violation(DOWNWARDS, "mig_fleet.stack_file.fleet", "mig_fleet.advice.sizing"),
    Violation(DOWNWARDS, "mig_fleet.advice.sizing", "mig_fleet.components.pool"),
    Violation(DOWNWARDS, "mig_fleet.monitoring.series", "mig_fleet.cluster.client"),
    Violation(DOWNWARDS, "mig_fleet.components.pool", "mig_fleet.stacks.program"),
    Violation(DOWNWARDS, "mig_fleet.stacks.program", "mig_fleet.policy.waves"),
    Violation(DOWNWARDS, "mig_fleet.observed.snapshot", "mig_fleet.rollout.batching"),
    Violation(DOWNWARDS, "mig_fleet.cluster.client", "mig_fleet.observed.snapshot"),
    Violation(DOWNWARDS, "mig_fleet.documents.reading", "mig_fleet.policies.rules"),
    Violation(DOWNWARDS, "mig_fleet.probe.watch", "mig_fleet.cluster.client"),
    Violation(DOWNWARDS, "mig_fleet.simulator.fleet", "mig_fleet.probe.watch"),
    Violation(DOWNWARDS, "mig_fleet.model.profiles", "mig_fleet.documents"),
    Violation(DOWNWARDS, "mig_fleet.failures", "mig_fleet.model.profiles"),
    Violation(DOWNWARDS, "mig_fleet.toolchain.pins", "mig_fleet.model.profiles"),
    Violation(DOWNWARDS, "mig_fleet.toolchain.pins", "mig_fleet.failures"),
    Violation(DOWNWARDS, "mig_fleet.foreign_text", "mig_fleet.failures"),
    Violation(DOWNWARDS, "mig_fleet.confidential", "mig_fleet.failures"),
    Violation(NO_MIG, "mig_fleet.cluster.client", "mig_fleet.model.labels"),
    Violation(MODEL_ONLY, "mig_fleet.probe.watch", "mig_fleet.failures"),
    Violation(MODEL_ONLY, "mig_fleet.simulator.fleet", "mig_fleet.failures"),
    Violation(MODEL_ONLY, "mig_fleet.monitoring.series", "mig_fleet.failures"),
    Violation(COMMAND_LINE, "mig_fleet.stacks.program", "mig_fleet.toolchain"),
    Violation(COMMAND_LINE, "mig_fleet.components.pool", "mig_fleet.simulator"),
    Violation(COMMAND_LINE, "mig_fleet.simulator.fleet", "mig_fleet.toolchain"),
    Violation(WITHOUT_PULUMI, "mig_fleet.cli.plan", "mig_fleet.components.pool"),
    Violation(NO_CIRCLE, "mig_fleet.model.profiles", "mig_fleet.model.layouts.layout", r"\.profiles -> \.layouts"),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and of the contracts."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "mig_fleet", tree / "mig_fleet", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


@pytest.fixture(scope="module")
def as_it_is(tree: Path) -> str:
    """What import-linter prints about the package."""
    return lint_imports(tree)


@pytest.fixture(scope="module")
def reported(tree: Path, as_it_is: str) -> dict[str, str]:  # the package is analysed before anything is planted in it
    """What import-linter prints with every violation planted at once: a contract and the text below its heading."""
    for violation in VIOLATIONS:
        plant(tree, violation)
    printed = lint_imports(tree).partition("Broken contracts")[2]
    parts = re.split(r"^(.+)\n-+$", printed, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def lint_imports(tree: Path) -> str:
    """What import-linter prints about a tree; its own package, not the installed one, is analysed."""
    command = (str(TOOLS / "lint-imports"), "--no-cache", "--no-logo", "--config", "pyproject.toml")
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False).stdout


def plant(tree: Path, violation: Violation) -> None:
    """Appends the import as the last line, where it can break no syntax."""
    base = tree.joinpath(*violation.module.split("."))
    file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    assert file.is_file(), f"{violation.module} has moved: name another module of that package here"
    target = tree.joinpath(*violation.imports.split("."))
    assert target.is_dir() or target.with_suffix(".py").is_file(), f"{violation.imports} has moved: name another"
    file.write_text(f"{file.read_text()}\n\nimport {violation.imports}\n")


def test_the_package_keeps_every_contract_and_all_of_it_is_analysed(as_it_is: str) -> None:
    assert "BROKEN" not in as_it_is, as_it_is
    (analysed,) = re.findall(r"Analyzed (\d+) files", as_it_is)
    assert int(analysed) > FEWEST_MODULES, "the contracts name a package that is not this one"


def test_every_contract_has_a_planted_violation() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {each["name"] for each in declared} == {violation.contract for violation in VIOLATIONS}


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_a_planted_violation_breaks_its_contract(reported: dict[str, str], violation: Violation) -> None:
    assert re.search(rf"^- +{violation.line}", reported.get(violation.contract, ""), re.MULTILINE)


def test_an_import_without_the_prefix_is_refused() -> None:
    program = "".join(f"import {name}.x\nfrom {name} import y\n" for name in TOP_LEVEL_NAMES)
    flags = ("--select", "TID251", "--output-format", "concise", "--stdin-filename", "a.py")
    command = (str(TOOLS / "ruff"), "check", *flags, "-")
    printed = subprocess.run(command, cwd=ROOT, input=program, capture_output=True, text=True, check=False).stdout
    assert [name for name in TOP_LEVEL_NAMES if printed.count(f"`{name}") < 2] == []
