"""The JSON Schema of a stack file, for editors: `schema.json` beside this module, which `make schema` writes."""

from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("schema.json")
ADDRESS: Final = "https://raw.githubusercontent.com/mig-fleet/mig-fleet/main/mig_fleet/stack_file/schema.json"
"""Where an editor finds it."""


def schema_text() -> str:
    """The schema as JSON."""
    return FILE.read_text("utf-8")


def modeline(schema: str = ADDRESS) -> str:
    """The first line of a stack file, by which yaml-language-server finds the schema: an address or a relative path."""
    return f"# yaml-language-server: $schema={schema}\n"
