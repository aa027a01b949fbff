"""The entry point. It imports a subcommand's module only when it is needed, so that each command starts fast."""

import importlib
from typing import Final

import click

COMMANDS: Final = {
    "plan": "mig_fleet.cli.plan",
    "check": "mig_fleet.cli.check",
    "gpus": "mig_fleet.cli.gpus",
    "import": "mig_fleet.cli.import_",
    "report": "mig_fleet.cli.report",
    "rights": "mig_fleet.cli.rights",
    "local": "mig_fleet.cli.local",
    "pulumi": "mig_fleet.cli.pulumi",
    "fleet": "mig_fleet.cli.fleet",
    "toolchain": "mig_fleet.cli.toolchain",
}
"""Subcommand → module; the module's click command is its last word (``mig_fleet.cli.import_.import_``)."""

EXTRAS: Final = {"aiohttp": "simulator", "cryptography": "simulator"}
"""Module that a default installation may lack → the extra of mig-fleet that brings it."""


class Commands(click.Group):
    """A group of commands; each command is a module."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        module = COMMANDS.get(name)
        if module is None:
            return None
        try:
            command = getattr(importlib.import_module(module), module.rpartition(".")[2])
        except ModuleNotFoundError as exc:
            if exc.name not in EXTRAS:
                raise
            return _without_extra(name, EXTRAS[exc.name])
        assert isinstance(command, click.Command), f"{module} exports no click command; this is a bug"
        return command


def _without_extra(name: str, extra: str) -> click.Command:
    """Stands in for a command that cannot be imported, so that the list of commands can still be shown."""
    sentence = f"needs the extra `{extra}`: pip install 'mig-fleet[{extra}]'"

    def refuse(**_: object) -> None:
        raise click.ClickException(f"`mig-fleet {name}` {sentence}")

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
        short_help=f"({sentence})",
    )


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mig-fleet")
def main() -> None:
    """GPU partitioning as reviewed code: MIG layouts for fleets of NVIDIA GPUs on Kubernetes.

    Start with `mig-fleet plan`, which shows the meaning of a stack file, or with `mig-fleet local up`, which deploys a
    stack to a simulated fleet.
    """


if __name__ == "__main__":
    main(prog_name="mig-fleet")
