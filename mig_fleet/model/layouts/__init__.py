"""Layouts: what every GPU of a node looks like, and the config name that a node's label carries."""

from mig_fleet.model.layouts.cut import Cut
from mig_fleet.model.layouts.layout import NAME, Layout

__all__ = ["NAME", "Cut", "Layout"]
