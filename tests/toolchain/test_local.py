"""`mig-fleet local`: the fleet starts while the provider is built, and what happens when that build fails."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mig_fleet import toolchain
from mig_fleet.cli import local as work
from mig_fleet.cli.commands.local import local
from tests.toolchain.conftest import Computer, processes, until

PROVIDER = toolchain.family("provider")
OTHERS = [family for family in toolchain.default() if family != PROVIDER]


class AFleet:
    """Runs a function in place of a start."""

    is_running = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "pki").mkdir(parents=True, exist_ok=True)
        (directory / work.AUTHORITY).write_text("an authority")

    def up(self, binaries: Path, progress: object) -> None:  # noqa: ARG002 (what it would print)
        assert (binaries / "etcd").exists(), "the control plane is there"
        AFleet.start()

    start: Callable[[], None] = staticmethod(lambda: None)


@pytest.fixture
def machine(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> Computer:
    """A project's folder on a machine that has every tool except the provider, and a Go for it."""
    project = computer.root / "project"
    (project / "stacks").mkdir(parents=True)
    for name in ("Pulumi.yaml", "stacks/Pulumi.local.yaml"):
        (project / name).touch()
    computer.has_go()
    toolchain.ensure(OTHERS, environment=computer.environment)
    monkeypatch.chdir(project)
    for name, value in computer.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MIG_FLEET_GO", raising=False)
    monkeypatch.setattr(work, "Fleet", AFleet)
    return computer


def provider_is_missing(computer: Computer) -> bool:
    return bool(toolchain.locate([PROVIDER], environment=computer.environment).missing)


def builds_of_the_provider(computer: Computer) -> list[str]:
    return [line for line in computer.builds if "toolchain/provider|" in line]


def test_the_fleet_starts_while_the_provider_is_built(machine: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(work, "_pulumi", lambda *_, **__: steps.append("pulumi"))

    def start() -> None:
        until(lambda: builds_of_the_provider(machine), "the provider's build runs")
        steps.append("the fleet starts without a provider" if provider_is_missing(machine) else "the provider is there")
        machine.held.unlink()

    monkeypatch.setattr(AFleet, "start", staticmethod(start))
    machine.held.touch()
    result = CliRunner().invoke(local, ["preview"])
    assert result.exit_code == 0, result.output
    assert steps[:2] == ["the fleet starts without a provider", "pulumi"]
    assert not provider_is_missing(machine) and len(builds_of_the_provider(machine)) == 1


def test_a_provider_that_cannot_be_built_is_reported_with_its_log_and_the_running_fleet(
    machine: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has_go(fails="missing go.sum entry")
    result = CliRunner().invoke(local, ["preview"])
    assert result.exit_code == 1
    assert "last lines:\nmissing go.sum entry\nThe whole log: " in result.stderr
    assert "The simulated fleet runs: `make up` goes on from here" in result.stderr


@pytest.mark.parametrize("when", ["while the fleet starts", "while the provider is awaited"])
def test_an_interrupt_ends_the_build_in_the_background(
    machine: Computer, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def start() -> None:
        until(lambda: builds_of_the_provider(machine), "the provider's build runs")
        if when == "while the fleet starts":
            interrupt()
        monkeypatch.setattr(toolchain, "workspace", interrupt)

    monkeypatch.setattr(AFleet, "start", staticmethod(start))
    machine.held.touch()
    result = CliRunner().invoke(local, ["preview"])
    assert result.exit_code != 0
    assert ("The simulated fleet runs" in result.stderr) == (when == "while the provider is awaited")
    until(lambda: str(machine.root / "cache") not in processes(), "Go ends")
    assert provider_is_missing(machine) and machine.unfinished() == []
