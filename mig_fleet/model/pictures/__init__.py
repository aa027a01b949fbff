"""Pictures of a partitioned GPU, a row of memory slices: for the terminal and as SVG. Readable without colour."""

from mig_fleet.model.pictures.svg import svg
from mig_fleet.model.pictures.text import CONFIDENCE, row

__all__ = ["CONFIDENCE", "row", "svg"]
