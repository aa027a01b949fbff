"""The entry point. It imports a subcommand's module only when it is needed, so that each command starts fast."""

import importlib
from typing import Any, Final

import click

COMMANDS: Final = {
    "check": "mig_fleet.cli.commands.check",
    "plan": "mig_fleet.cli.commands.plan",
    "import": "mig_fleet.cli.commands.import_",
    "schema": "mig_fleet.cli.commands.schema",
    "gpus": "mig_fleet.cli.commands.gpus",
    "status": "mig_fleet.cli.commands.status",
    "review": "mig_fleet.cli.commands.review",
    "rights": "mig_fleet.cli.commands.rights",
    "policies": "mig_fleet.cli.commands.policies",
    "monitoring": "mig_fleet.cli.commands.monitoring",
    "advise": "mig_fleet.cli.commands.advise",
    "simulate": "mig_fleet.cli.commands.simulate",
    "local": "mig_fleet.cli.commands.local",
    "toolchain": "mig_fleet.cli.commands.toolchain",
    "pulumi": "mig_fleet.cli.commands.pulumi",
}
"""Subcommand → module; the module's click command is its last word (``mig_fleet.cli.commands.import_.import_``)."""

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
        command = getattr(importlib.import_module(module), module.rpartition(".")[2])
        assert isinstance(command, click.Command), f"{module} exports no click command; this is a bug"
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as exc:
            extra = EXTRAS.get(exc.name or "")
            if extra is None:
                raise
            remedy = f"pip install 'mig-fleet[{extra}]'"
            raise click.ClickException(
                f"`mig-fleet {ctx.invoked_subcommand}` needs the extra `{extra}`: {remedy}"
            ) from None


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mig-fleet")
def main() -> None:
    """GPU partitioning as reviewed code: MIG layouts for fleets of NVIDIA GPUs on Kubernetes.

    Start with `mig-fleet plan`, which shows the meaning of a stack file, or with `mig-fleet local up`, which deploys a
    stack to a simulated fleet.
    """


if __name__ == "__main__":
    main(prog_name="mig-fleet")
