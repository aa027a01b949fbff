"""The only reader of YAML in mig-fleet: it reads a file exactly as the tools that consume it do.

Stack files, mig-parted files and the layout file in the cluster, which other users may edit, are read here. The reader
is bounded: at most 1 MiB, 100000 values and 64 levels, each counted with aliases expanded; a list of nodes may have 32
times as many bytes and values. What those tools ignore without a message (a duplicate key, a second document) is kept
in ``Document.ignored``.
"""

from mig_fleet.documents.blocks import dump_blocks
from mig_fleet.documents.document import Document, DocumentError
from mig_fleet.documents.expected import EXPECTED
from mig_fleet.documents.limits import DUMP, MAX_BYTES, MAX_DEPTH, MAX_VALUES
from mig_fleet.documents.reading import open_document, parse, read_content
from mig_fleet.documents.writing import dump

__all__ = [
    "DUMP",
    "EXPECTED",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_VALUES",
    "Document",
    "DocumentError",
    "dump",
    "dump_blocks",
    "open_document",
    "parse",
    "read_content",
]
