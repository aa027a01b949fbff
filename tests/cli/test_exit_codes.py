"""The table of exit codes in docs/reference/command-line.md is that of the code."""

import ast
import re
from pathlib import Path

import pytest

from mig_fleet.cli import assertion
from mig_fleet.cli.__main__ import COMMANDS
from mig_fleet.cli.exit_codes import ExitCode
from tests.cli.test_pages import PAGE

FOLDER = Path("mig_fleet/cli")
HEADING = "| exit code | command | meaning |\n|---|---|---|\n"
SHARED = {"stack_files": ("plan", "rights", "policies", "monitoring", "advise")}
"""Modules whose exit codes are those of several commands."""


def rows() -> list[tuple[str, str]]:
    """The code and the commands of each row; a row without a code has that of the row above."""
    found: list[tuple[str, str]] = []
    code = ""
    for row in PAGE.partition(HEADING)[2].partition("\n\n")[0].splitlines():
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        code = cells[0] or code
        found.append((code, cells[1]))
    return found


ROWS = rows()


MODULES = {path.stem: ast.parse(path.read_text()) for path in FOLDER.glob("*.py")}


def codes_of(tree: ast.Module) -> set[int]:
    """The members of ``ExitCode`` that a module names."""
    return {
        ExitCode[node.attr]
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ExitCode"
    }


USED = {
    (str(code), command)
    for name, tree in MODULES.items()
    for code in codes_of(tree)
    for command in SHARED.get(name, (name.rstrip("_"),))
}


def test_the_page_has_one_table_of_exit_codes() -> None:
    assert PAGE.count("| exit code |") == 1


def test_the_table_has_every_code_and_no_other() -> None:
    assert {code for code, _ in ROWS} == {*(str(int(code)) for code in ExitCode), "other"}


@pytest.mark.parametrize(("code", "command"), sorted(USED))
def test_a_code_that_a_command_uses_has_a_row(code: str, command: str) -> None:
    names = [
        commands for row, commands in ROWS if row == code and (f"mig-fleet {command}" in commands or commands == "all")
    ]
    assert names, f"add to the table: exit code {code} of `mig-fleet {command}`"


def test_the_commands_of_the_table_exist() -> None:
    named = {name for _, commands in ROWS for name in re.findall(r"`mig-fleet (\w+)", commands)}
    assert named <= COMMANDS.keys()


def test_the_codes_of_mig_probe_are_those_of_the_table() -> None:
    codes = [assertion.AS_DECLARED, assertion.DIFFERENT, assertion.BAD_USAGE, assertion.UNKNOWN]
    assert codes == [ExitCode.SUCCESS, ExitCode.FAILURE, ExitCode.USAGE, ExitCode.UNKNOWN]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_command_exits_with_a_bare_number(name: str) -> None:
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "sys.exit":
            assert not isinstance(node.args[0], ast.Constant), f"{name}.py:{node.lineno}: use ExitCode"
