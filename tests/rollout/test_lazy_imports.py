"""A program and a preview do not import what only a change needs."""

import subprocess
import sys

PROGRAM = "import sys; import mig_fleet.components.pool; print(*sys.modules)"
STEPS_OF_A_CHANGE = (
    "mig_fleet.rollout.assign",
    "mig_fleet.rollout.verify",
    "mig_fleet.rollout.reconfigure",
    "mig_fleet.rollout.convergence",
)


def test_declaring_a_pool_imports_neither_the_client_library_nor_the_steps_of_a_change() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    imported = set(ran.stdout.split())
    assert {"mig_fleet.components.assignment", "mig_fleet.components.verification"} <= imported
    assert not imported & {"kubernetes", *STEPS_OF_A_CHANGE}
