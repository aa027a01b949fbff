"""The state of a wave's nodes after a failure that no step expects, such as a bug of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from mig_fleet.failures import ExpectedFailure, Refused, describe
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.isolation import still_isolated
from mig_fleet.rollout.wave import Wave


@contextmanager
def naming_isolated_nodes(wave: Wave) -> Iterator[None]:
    """Raise an unexpected failure as :class:`Refused`, with the nodes that are isolated and the command that restores
    their scheduling: a traceback names none of them.
    """
    try:
        yield
    except ExpectedFailure:
        raise
    except Exception as exc:
        raise Refused(f"{describe(exc)}{still_isolated(RolloutContext(wave), wave.members)}") from exc
