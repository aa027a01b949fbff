"""The size of the slices of one profile: how they are used, what they need, and what follows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mig_fleet.advice.decision import LEAST_COVERAGE, decide, is_heterogeneous
from mig_fleet.advice.needs import Needs, needs
from mig_fleet.advice.outcome import Confidence, Outcome
from mig_fleet.advice.replacement import Replacement
from mig_fleet.advice.use import Use
from mig_fleet.model.cost import Basis
from mig_fleet.model.gpus import GpuModel

HIGH_COVERAGE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Sizing:
    """The size of the slices of one profile on a GPU."""

    profile: str
    use: Use
    outcome: Outcome
    reason: str
    confidence: Confidence
    needs: Needs | None
    """None if anything was not measured."""
    replacement: Replacement | None
    """Only if they can be smaller."""


def size(gpu: GpuModel, group: Mapping[str, int], name: str, use: Use, basis: Basis = Basis.MAX) -> Sizing:
    """The size of the slices of profile ``name`` among the profiles of a GPU, in canonical spelling. ``basis`` decides
    which profile is the cheapest.
    """
    needed = needs(use, gpu.profile(name))
    found = decide(gpu, group, name, use, needed, basis)
    confidence = Confidence.LOW if is_heterogeneous(gpu, group) else _confidence(use)
    return Sizing(name, use, found.outcome, found.reason, confidence, needed, found.replacement)


def _confidence(use: Use) -> Confidence:
    if use.coverage < LEAST_COVERAGE:
        return Confidence.LOW
    return Confidence.HIGH if use.coverage >= HIGH_COVERAGE and use.sm_measured else Confidence.MEDIUM
