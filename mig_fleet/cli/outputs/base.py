"""What every JSON output has in common."""

import json
from typing import Any

import click
import msgspec


class Output(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The base of JSON objects: snake_case inside, camelCase outside. Every key is always there.

    Each type repeats ``frozen=True``, because mypy does not see that it is inherited.
    """


def print_json(value: Any) -> None:
    """Prints an :class:`Output`, or lists and mappings of them, in ASCII: no name reaches a terminal raw."""
    click.echo(json.dumps(msgspec.to_builtins(value), indent=2))
