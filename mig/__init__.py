"""What MIG allows: profiles, GPU models, placements, layouts, the mig-parted file, the report.

Standard library only, so that Pulumi programs, dynamic providers, policy packs and the probe on a GPU node all use the
same words.
"""

from mig import errors, gpus
from mig.layouts import Cut, Layout
from mig.placement import Placement, Proof, Verdict, maximal, prove
from mig.profiles import Profile
from mig.report import Report
from mig.strategy import Strategy

__all__ = [
    "Cut",
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
