"""What MIG allows: profiles, GPU models, placements, layouts, the mig-parted file, the report.

Standard library only, so that Pulumi programs, dynamic providers, policy packs and the probe on a GPU node can all use
it.
"""

from mig_fleet.model import errors, gpus
from mig_fleet.model.layouts import GpuGroup, Layout
from mig_fleet.model.placement import Placement, Proof, Verdict, maximal, prove
from mig_fleet.model.profiles import Profile
from mig_fleet.model.report import Report
from mig_fleet.model.strategy import Strategy

__all__ = [
    "GpuGroup",
    "Layout",
    "Placement",
    "Profile",
    "Proof",
    "Report",
    "Strategy",
    "Verdict",
    "errors",
    "gpus",
    "maximal",
    "prove",
]
