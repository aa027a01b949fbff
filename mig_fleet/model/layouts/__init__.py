"""Layouts: the partitioning of every GPU of a node, and its config name, the value of the node's label."""

from mig_fleet.model.layouts.gpu_group import GpuGroup
from mig_fleet.model.layouts.layout import NAME, Layout

__all__ = ["NAME", "GpuGroup", "Layout"]
