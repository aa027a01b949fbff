"""A command that reads a cluster ends within a stated time, also if the API server is silent or slow."""

from collections.abc import Callable
from typing import Final, TypeVar

from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.cluster.timeouts import call_within

T = TypeVar("T")

READ_WITHIN_S: Final[float] = 120
"""Seconds for all requests of a command; the help and docs/reference/command-line.md state it. One request has at most
two tries of 60 seconds, and a server that sends nothing is given up after 10 seconds in each."""


def read_within(read: Callable[[], T]) -> T:
    """What ``read`` returns; raises :class:`ClusterUnreachable` if that takes longer."""
    try:
        return call_within(READ_WITHIN_S, read)
    except TimeoutError:
        why = f"the cluster was not read completely within {READ_WITHIN_S:g} s"
        raise ClusterUnreachable(f"{why}; check the network between here and its API server") from None
