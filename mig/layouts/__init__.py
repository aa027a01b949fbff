"""Layouts: what every GPU of a node looks like, and the config name that a node's label carries."""

from mig.layouts.cut import Cut
from mig.layouts.layout import NAME, Layout

__all__ = ["NAME", "Cut", "Layout"]
