"""The entry point: imports a subcommand's module when it is asked for, so that no command pays for another."""

import importlib
from typing import Final

import click

COMMANDS: Final = {
    "plan": "mig_fleet.cli.plan",
    "check": "mig_fleet.cli.check",
    "gpus": "mig_fleet.cli.gpus",
    "import": "mig_fleet.cli.import_",
    "report": "mig_fleet.cli.report",
    "local": "mig_fleet.cli.local",
    "pulumi": "mig_fleet.cli.pulumi",
    "fleet": "mig_fleet.cli.fleet",
    "toolchain": "mig_fleet.cli.toolchain",
}
"""Subcommand → module; the module's click command is its last word (``mig_fleet.cli.import_.import_``)."""


class Commands(click.Group):
    """A group whose members are modules."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        module = COMMANDS.get(name)
        if module is None:
            return None
        command = getattr(importlib.import_module(module), module.rpartition(".")[2])
        assert isinstance(command, click.Command), f"{module} exports no click command; this is a bug"
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mig-fleet")
def main() -> None:
    """GPU partitioning as reviewed code: MIG layouts for fleets of NVIDIA GPUs on Kubernetes.

    Try `mig-fleet plan` to see what a stack file means, and `mig-fleet local up` for a whole simulated fleet.
    """


if __name__ == "__main__":
    main(prog_name="mig-fleet")
