"""`mig-fleet schema`"""

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of a stack file.

    Editors with a language server for YAML complete, describe and check a stack file by it. They find it through the
    first line of the file, which `mig-fleet import` and the templates write:

    \b
      # yaml-language-server: $schema=https://raw.githubusercontent.com/mig-fleet/mig-fleet/main/mig_fleet/stack_file/schema.json

    Without access to the Internet, write the schema to a file, and its path, relative to the stack file, after
    `$schema=`. Whether the GPUs can have a layout only `mig-fleet check` knows.
    """
    from mig_fleet.stack_file.json_schema import schema_text

    click.echo(schema_text(), nl=False)
