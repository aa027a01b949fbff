"""The mig-parted file: ``version: v1``, one config per config name, each a list of entries applied in order.

The reader accepts exactly what NVIDIA's parser accepts, and gives it the same meaning, also where NVIDIA's tools fail
silently.
`parted.lint` finds what in an accepted file would silently do the wrong thing. This package takes parsed data;
`mig_fleet.documents` reads the YAML.
"""

from mig_fleet.model.parted.file import Entry, PartedFile
from mig_fleet.model.parted.keys import key_text
from mig_fleet.model.parted.reader import read
from mig_fleet.model.parted.writer import dump

__all__ = ["Entry", "PartedFile", "dump", "key_text", "read"]
