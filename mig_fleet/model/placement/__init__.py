"""Whether a GPU can be partitioned in a given way: proofs, the driver's choices, maximal and nearest layouts.

The rule (facts of ``nvidia-smi mig -lgipp`` and the user guide): instances take disjoint ranges of memory slices, each
at one of the starts of its profile; compute slices, GPU instances, engines and the count per profile stay within the
GPU's limits.

Data flows one way: values (placed, proof) and the compiled model (grid) → input (request, kept) → search (driver,
creation_order, enumeration) → answers (proving, explanation, alternatives).
"""

from mig_fleet.model.placement.alternatives import is_proven_alternative, nearest
from mig_fleet.model.placement.confirmation import NOTHING, Confirmed
from mig_fleet.model.placement.driver import driver_choice
from mig_fleet.model.placement.enumeration import feasible, maximal
from mig_fleet.model.placement.explanation import explain
from mig_fleet.model.placement.placed import Placement
from mig_fleet.model.placement.proof import Proof, Verdict
from mig_fleet.model.placement.proving import prove

__all__ = [
    "NOTHING",
    "Confirmed",
    "Placement",
    "Proof",
    "Verdict",
    "driver_choice",
    "explain",
    "feasible",
    "is_proven_alternative",
    "maximal",
    "nearest",
    "prove",
]
