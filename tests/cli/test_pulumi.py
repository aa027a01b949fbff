"""`mig-fleet pulumi`: only the stack of the simulated fleet has the empty passphrase."""

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mig_fleet import toolchain
from mig_fleet.cli.commands.pulumi import pulumi
from mig_fleet.cli.pulumi import named_stacks

USERS = {"PULUMI_CONFIG_PASSPHRASE": "the user's", "PULUMI_CONFIG_PASSPHRASE_FILE": "/home/user/passphrase"}


class Executed(Exception):
    """The command line and the environment that replace the process."""

    def __init__(self, _path: str, command: list[str], environment: dict[str, str]) -> None:
        self.command, self.environment = command, environment


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command where the stack ``selected`` is selected; returns the passphrase settings of Pulumi."""
    workspace = toolchain.Workspace(tmp_path, toolchain.SearchResult(()))
    workspace.bin.mkdir(parents=True)
    monkeypatch.setattr(toolchain, "workspace", lambda *_, **__: workspace)
    monkeypatch.setattr(os, "execve", lambda *arguments: (_ for _ in ()).throw(Executed(*arguments)))
    for name, value in USERS.items():
        monkeypatch.setenv(name, value)

    def result(selected: str, *arguments: str) -> dict[str, str]:
        answer = f'[ "$2" = --show-name ] && echo {selected}' if selected else "exit 255"
        workspace.pulumi.write_text(f"#!/bin/sh\n{answer}\n")
        workspace.pulumi.chmod(0o755)
        executed = CliRunner().invoke(pulumi, arguments).exception
        assert isinstance(executed, Executed)
        assert executed.command == [str(workspace.pulumi), *arguments]
        return {name: value for name, value in executed.environment.items() if "PASSPHRASE" in name}

    return result


EMPTY = {"PULUMI_CONFIG_PASSPHRASE": ""}


@pytest.mark.parametrize(
    ("selected", "arguments", "expected"),
    [
        ("local", "config set key value --secret", EMPTY),
        ("", "config set key value --secret --stack local", EMPTY),
        ("prod", "up --stack=organization/mig-fleet/local", EMPTY),
        ("prod", "config set key value --secret", USERS),
        ("local", "config set --stack prod --secret key value", USERS),
        ("local", "config set -s prod --secret key value", USERS),
        ("local", "config set -sprod --secret key value", USERS),
        ("local", "config set --stack=organization/mig-fleet/prod key value", USERS),
        ("local", "config cp --stack local --dest prod", USERS),
        ("local", "stack init prod", USERS),
        ("local", "stack init local --copy-config-from prod", USERS),
        ("local", "stack init", USERS),
        ("", "up", USERS),
    ],
)
def test_only_the_simulated_stack_has_the_empty_passphrase(
    selected: str, arguments: str, expected: dict[str, str], run: Any
) -> None:
    assert run(selected, *arguments.split()) == expected


def test_a_command_that_names_no_stack_is_run_for_the_selected_one() -> None:
    assert named_stacks(["preview", "--diff"]) == set()
