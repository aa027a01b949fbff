"""One wave's properties, as `mig_fleet.components.pool` hands them to both providers."""

from typing import Any

from mig_fleet.components.assignment import AssignmentProvider
from mig_fleet.components.pool import expectation
from mig_fleet.components.verification import VerificationProvider
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from tests.memory.fleet import DENSE, GPUS_PER_NODE, OPERATOR, PROBES

Props = dict[str, Any]
ASSIGNMENT, VERIFICATION = AssignmentProvider(), VerificationProvider()


def a_wave(*nodes: str, layout: Layout = DENSE, **changes: Any) -> Props:
    """The wave ``pool-wave-0``; what both providers need stands in one dictionary."""
    expected = expectation(
        {
            "cluster": {},
            "namespace": OPERATOR,
            "reports": PROBES,
            "gpu": layout.gpu,
            "gpus_per_node": GPUS_PER_NODE,
            "nodes": list(nodes),
            "layout": layout,
            "strategy": Strategy.MIXED,
        }
    )
    props: Props = {
        "cluster": {},
        "namespace": OPERATOR,
        "reports": PROBES,
        "wave": "pool-wave-0",
        "nodes": list(nodes),
        "expected": expected,
        "isolation": "taint",
        "on_user_pods": "refuse",
        "held": False,
        "timeout_s": 600.0,
        "config": layout.config_name,
        "on_delete": "retain",
        "soak_s": 0,
        "recovery": True,
        "wedged_s": 300.0,
        "on_failure": "halt",
    }
    return {**props, **changes}


def roll_out(wave: Props) -> Props:
    """Assign, then verify, as a first update does; the verification's outputs."""
    ASSIGNMENT.create(wave)
    return VERIFICATION.create(wave).outs
