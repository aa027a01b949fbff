"""What a provider's process knows of the engine run that it serves: one process, one preview or update.

The engine sends `Cancel` to its providers once, after the first Ctrl-C or SIGTERM (pulumi pkg v3.259.0
resource/deploy/deployment_executor.go); :mod:`mig_fleet.components.cancellation` calls :func:`interrupt` then. It does
not say whether a call of `check` belongs to a preview or to an update, so waves that this process changes are recorded.
"""

from mig_fleet.cluster.interruption import interruption
from mig_fleet.failures import Refused

_changed: set[str] = set()

interrupt = interruption.interrupt
"""End every wait of this process within a second, and every call to an API server that does not answer soon."""

is_interrupted = interruption.is_interrupted

record_change = _changed.add
"""A wave is changed in this run: what is half done on its nodes is this run's own work."""

is_changed = _changed.__contains__


def begin() -> None:
    """Forget everything. For tests, which play several engine runs in one process."""
    interruption.forget()
    _changed.clear()


class Interrupted(Refused):
    """The user interrupted the update. Steps handle it as any other failure: what can be undone is undone."""
