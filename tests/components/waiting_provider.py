"""Dynamic providers that wait, fail and compare as ours do; served by a real provider process."""

import os
import sys

from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider

from mig_fleet.components.cancellation import listen_for_cancel
from mig_fleet.components.provider import Provider
from mig_fleet.failures import CleanError, Refused, one_clean_error
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


class Failed(CleanError):
    """A failure that a user can act on."""


class FailingProvider(Provider):
    """Refuses its deletion."""

    def delete(self, _id: str, _props: Props) -> None:
        with one_clean_error(Failed):
            raise Refused("nothing was changed:\n  why")


class DiffingProvider(Provider):
    """Reports a change; another namespace is a replacement."""

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(
            changes=True, replaces=["namespace"] if olds.get("namespace") != news.get("namespace") else []
        )
