"""One wave's properties, and the two providers that get them."""

from typing import Any

from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from mig_fleet.components.assignment import AssignmentProvider
from mig_fleet.components.verification import VerificationProvider
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.expected import Expected
from mig_fleet.rollout.wave import Props, Wave
from tests.memory.fleet import DENSE, GPUS_PER_NODE, OPERATOR, PROBES

__all__ = ["ASSIGNMENT", "VERIFICATION", "Props", "a_wave", "outputs", "roll_out"]

ASSIGNMENT, VERIFICATION = AssignmentProvider(), VerificationProvider()


def a_wave(*nodes: str, layout: Layout = DENSE, **changes: Any) -> Props:
    """The properties of wave ``pool-wave-0``. ``changes`` are fields of :class:`Wave`, or ``earlier`` and ``declared``
    for the inputs that only `check` reads.
    """
    names = {"earlier": "earlierNodes", "declared": "declaredNodes"}
    check_only = {names[key]: changes.pop(key) for key in names if key in changes}
    fields: dict[str, Any] = {
        "cluster": {},
        "namespace": OPERATOR,
        "reports_namespace": PROBES,
        "wave": "pool-wave-0",
        "nodes": nodes,
        "expected": Expected.of_layout(layout, GPUS_PER_NODE, Strategy.MIXED),
        "timeout_seconds": 600.0,
        "stuck_after_seconds": 300.0,
    }
    return {**Wave(**{**fields, **changes}).to_properties(), **check_only}


def outputs(result: CreateResult | UpdateResult | ReadResult) -> Props:
    """What a provider's method returned, without ``None``."""
    outs: Props | None = result.outs
    assert outs is not None
    return outs


def roll_out(wave: Props) -> Props:
    """Assign, then verify, as a first update does; returns the verification's outputs."""
    ASSIGNMENT.create(wave)
    return outputs(VERIFICATION.create(wave))
