"""`mig-fleet local`"""

import click


@click.group()
def local() -> None:
    """Try mig-fleet on a simulated fleet.

    Stack `local` has a real control plane with simulated GPU nodes. Nothing outside this folder changes, except caches.
    """


@local.command()
def up() -> None:
    """Deploy the stack to the simulated fleet; safe to repeat.

    Installs the tools, starts the fleet, and runs `pulumi up`, which verifies every node.
    """
    from mig_fleet.cli import local as work

    work.up()


@local.command()
@click.option(
    "--expect-no-changes", is_flag=True, help="Exit status 7 if anything would change, for a scheduled drift check."
)
def preview(expect_no_changes: bool) -> None:
    """Show what `mig-fleet local up` would change, including drift."""
    from mig_fleet.cli import local as work

    work.preview(expect_no_changes)


@local.command()
def down() -> None:
    """Destroy the stack's resources and stop the simulated fleet."""
    from mig_fleet.cli import local as work

    work.down()
