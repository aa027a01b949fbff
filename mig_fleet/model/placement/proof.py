"""What is known about a request for one GPU, as a value. :mod:`~mig_fleet.model.placement.proving` makes it."""

from dataclasses import dataclass
from enum import StrEnum

from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement.placed import Placement


class Verdict(StrEnum):
    """``UNPROVEN`` is a verdict of its own: no source decides the question, so yes and no would both be guesses."""

    FEASIBLE = "feasible"
    IMPOSSIBLE = "impossible"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known about ``request``, counted profiles, on ``gpu`` beside the instances in ``kept``.

    ``placements`` (by start, including the kept ones) and ``creation_order`` (GPU instances to create, first to last)
    are empty unless it :attr:`fits`. The placements are those that a driver reaches in this order if it takes the
    highest free start. ``confidence`` is the weakest source of the placements; ``requires`` lists what else is needed,
    such as a driver version.
    """

    gpu: GpuModel
    request: tuple[tuple[str, int], ...]
    kept: tuple[Placement, ...]
    verdict: Verdict
    placements: tuple[Placement, ...]
    creation_order: tuple[str, ...]
    confidence: str
    requires: tuple[str, ...]

    def __bool__(self) -> bool:
        """True only if the request is proven to fit."""
        return self.verdict is Verdict.FEASIBLE

    @property
    def fits(self) -> bool:
        """Whether the placements are known, even if the request is unproven: a profile with different names on
        different boards has the same placement on each of them, but no name is right for all boards.
        """
        return bool(self) or bool(self.placements)
