"""A cut GPU, drawn as its row of memory slices: for the terminal and as SVG. Readable without colour."""

from mig.pictures.text import row

__all__ = ["row"]
