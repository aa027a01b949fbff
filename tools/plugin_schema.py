"""Writes plugin/schema.json, the schema of what the plugin serves: ``python -m tools.plugin_schema``."""

from importlib.metadata import version
from pathlib import Path

from mig_fleet.components.serving.components import Components
from mig_fleet.components.serving.served import COMPONENTS

FILE = Path(__file__).parents[1] / "plugin" / "schema.json"


def schema() -> str:
    return str(Components(list(COMPONENTS), version("mig-fleet")).schema)


if __name__ == "__main__":
    FILE.write_text(schema())
