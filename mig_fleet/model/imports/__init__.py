"""From what people have (mig-parted files, node labels) to layouts and pools, telling what could not be carried
over.
"""

from mig_fleet.model.imports.layouts import Imported, import_parted
from mig_fleet.model.imports.pools import ImportedPool, NodeFacts, carried_by, import_nodes
from mig_fleet.model.imports.stack_file import stack_file

__all__ = ["Imported", "ImportedPool", "NodeFacts", "carried_by", "import_nodes", "import_parted", "stack_file"]
