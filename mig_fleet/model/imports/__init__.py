"""Converts mig-parted files and node labels to layouts and pools, and lists what could not be imported."""

from mig_fleet.model.imports.layouts import Imported, import_parted
from mig_fleet.model.imports.node import NodeFacts, models_by_config
from mig_fleet.model.imports.notes import Note, Notes, Outcome, format_names
from mig_fleet.model.imports.nvidia_smi import read_nvidia_smi
from mig_fleet.model.imports.offers import Offers, read_offers
from mig_fleet.model.imports.pools import ImportedPool, import_nodes
from mig_fleet.model.imports.stack_file import ImportedCluster, stack_file

__all__ = [
    "Imported",
    "ImportedCluster",
    "ImportedPool",
    "NodeFacts",
    "Note",
    "Notes",
    "Offers",
    "Outcome",
    "format_names",
    "import_nodes",
    "import_parted",
    "models_by_config",
    "read_nvidia_smi",
    "read_offers",
    "stack_file",
]
