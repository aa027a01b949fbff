"""YAML from people, read as the tools behind us read it, with the line of everything and nothing that can blow up.

Stack files, mig-parted files and the one in the cluster, which others may edit, come through here: at most a
megabyte, aliases counted as if written out, and what a YAML reader would pass over silently is kept in mind.
"""

from mig_fleet.documents.builder import DEEPEST, MOST_VALUES
from mig_fleet.documents.document import Document, DocumentError
from mig_fleet.documents.reading import LARGEST_BYTES, open_document, parse

__all__ = ["DEEPEST", "LARGEST_BYTES", "MOST_VALUES", "Document", "DocumentError", "open_document", "parse"]
