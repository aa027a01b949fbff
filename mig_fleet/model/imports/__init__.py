"""Converts mig-parted files and node labels to layouts and pools, and lists what could not be imported."""

from mig_fleet.model.imports.layouts import Imported, import_parted
from mig_fleet.model.imports.pools import ImportedPool, NodeFacts, import_nodes, models_by_config
from mig_fleet.model.imports.stack_file import stack_file

__all__ = ["Imported", "ImportedPool", "NodeFacts", "import_nodes", "import_parted", "models_by_config", "stack_file"]
