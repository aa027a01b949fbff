"""NVIDIA's mig-parted and the simulator's, on the same generated nodes and configs: exit codes and whole states.

`make conformance` runs these tests; `make conformance CASES=5000` looks at more and other cases.
"""

import os
import time
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mig_fleet.simulator.genuine import Machine
from tests.conformance.played import Outcome, is_allowed, outcomes
from tests.conformance.records import MIG_PARTED, count_case
from tests.conformance.situations import CONFIG, MODELS, Situation, situations

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(3600)]

CASES: Final = int(os.environ.get("MIG_FLEET_CONFORMANCE_CASES", "0"))
EACH: Final = settings(
    max_examples=-(-(CASES or 500) // len(MODELS)),
    derandomize=not CASES,
    print_blob=bool(CASES),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    database=None,
)
"""Without a number of cases, the same ones each time."""


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@EACH
def test_mig_parted_does_what_the_simulator_does(
    model: str, a_machine: Machine, mig_parted: str, data: st.DataObject
) -> None:
    situation = data.draw(situations(model), label="situation")
    start = time.monotonic()
    found = genuine(a_machine, mig_parted, situation)
    agrees = is_allowed(found, situation)
    count_case(MIG_PARTED, agrees=agrees, seconds=time.monotonic() - start)
    if not agrees:
        own = next(outcomes(situation))
        pytest.fail(f"{situation}\nmig-parted: {found}\n\nthe simulator: {own}", pytrace=False)


def genuine(machine: Machine, program: str, situation: Situation) -> Outcome:
    """What NVIDIA's program does: the commands of MIG Manager, one after the other."""
    machine.set(situation.driver)
    file = machine.folder / "config.yaml"
    file.write_text(situation.file)
    codes = []
    for command in (["assert"], ["assert", "--mode-only"], ["apply"], ["assert"]):
        done = machine.run([program, *command, "--config-file", str(file), "--selected-config", CONFIG])
        assert done.code in (0, 1), f"{command}: exit status {done.code}: {done.stderr}"
        codes.append(done.code)
    return Outcome(tuple(codes), machine.read())
