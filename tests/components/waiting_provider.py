"""A dynamic provider whose `create` waits as a rollout does; served by a real provider process."""

import os
import sys

from pulumi.dynamic import CreateResult, ResourceProvider

from mig_fleet.components.cancellation import listen_for_cancel
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.wave import Props, Wave
from tests.memory.wave import a_wave

WAITS = "waits"
WAIT_S = 120.0


class WaitingProvider(ResourceProvider):
    """Prints :data:`WAITS`, then waits much longer than a test."""

    serialize_as_secret_always = False

    def create(self, _props: Props) -> CreateResult:
        listen_for_cancel()
        sys.tracebacklimit = 0
        context = RolloutContext(Wave.from_properties(a_wave("n1")))
        os.write(1, f"{WAITS}\n".encode())  # in one piece: other threads write the same
        context.sleep(WAIT_S)
        return CreateResult("never")
