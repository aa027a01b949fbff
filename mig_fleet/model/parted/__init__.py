"""The mig-parted file: ``version: v1``, one config per config name, each a list of entries applied in order.

The reader accepts exactly what NVIDIA's parser accepts and keeps its lenient meaning, silent failures included;
`parted.lint` says what in an accepted file would silently do the wrong thing. YAML itself is read elsewhere:
this package takes parsed data.
"""

from mig_fleet.model.parted.file import Entry, PartedFile
from mig_fleet.model.parted.keys import key_text
from mig_fleet.model.parted.reader import read
from mig_fleet.model.parted.writer import dump

__all__ = ["Entry", "PartedFile", "dump", "key_text", "read"]
