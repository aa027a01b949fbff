"""`mig-fleet pulumi …`"""

import click


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def pulumi(arguments: tuple[str, ...]) -> None:
    """Run the Pulumi CLI with the backend and the plugins of this folder.

    The stack local has an empty passphrase: it has no secrets. Any other stack needs PULUMI_CONFIG_PASSPHRASE or
    PULUMI_CONFIG_PASSPHRASE_FILE, or another secrets provider.

    \b
    mig-fleet pulumi preview --stack local --diff
    mig-fleet pulumi stack output --stack local --json
    """
    from mig_fleet.cli.pulumi import run

    run(arguments)
