"""What a program and a preview load: nobody waits for what only a change needs."""

import subprocess
import sys

LOADED = "import sys; import mig_fleet.components.pool; print(*sys.modules)"
OF_A_CHANGE = (
    "mig_fleet.rollout.assign",
    "mig_fleet.rollout.verify",
    "mig_fleet.rollout.reconfigure",
    "mig_fleet.rollout.convergence",
)


def test_a_pool_is_declared_without_the_client_library_and_the_steps_of_a_change() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)
    loaded = set(ran.stdout.split())
    assert {"mig_fleet.components.assignment", "mig_fleet.components.verification"} <= loaded
    assert not loaded & {"kubernetes", *OF_A_CHANGE}
