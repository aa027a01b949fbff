"""An installation without the simulator's dependencies: the commands that need them name the extra."""

import sys

import pytest
from click.testing import CliRunner

from mig_fleet.cli.__main__ import main


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp and cryptography cannot be imported, and no module that imported them is left."""
    for name in list(sys.modules):
        if name.startswith(("mig_fleet.simulator", "mig_fleet.cli.simulate", "mig_fleet.cli.local")):
            package, _, module = name.rpartition(".")
            if package in sys.modules:  # `from package import module` finds it there, too
                monkeypatch.delattr(sys.modules[package], module, raising=False)
            monkeypatch.delitem(sys.modules, name)
    for name in ("aiohttp", "cryptography"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("without_the_extra")
@pytest.mark.parametrize(
    "arguments", [["simulate", "faults"], ["simulate", "up", "--fleet", "x.yaml"], ["local", "preview"]]
)
def test_a_command_of_the_simulator_names_the_extra(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert result.output == (
        f"Error: `mig-fleet {arguments[0]}` needs the extra `simulator`: pip install 'mig-fleet[simulator]'\n"
    )


@pytest.mark.usefixtures("without_the_extra")
@pytest.mark.parametrize("arguments", [["--help"], ["simulate", "up", "--help"], ["gpus", "A30"]])
def test_help_and_the_other_commands_do_not_need_the_extra(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 0
