"""Whether a GPU can be cut in a given way: proofs, the driver's choices, maximal and nearest layouts.

The rule (facts of ``nvidia-smi mig -lgipp`` and the user guide): instances take disjoint ranges of memory slices, each
at one of the starts its profile has; compute slices, GPU instances, engines and the count per profile stay within the
GPU's.
"""

from mig_fleet.model.placement.driver import driver_choice
from mig_fleet.model.placement.maximal import feasible, maximal, room
from mig_fleet.model.placement.placed import Placement
from mig_fleet.model.placement.proof import Proof, Verdict, prove

__all__ = ["Placement", "Proof", "Verdict", "driver_choice", "feasible", "maximal", "prove", "room"]
