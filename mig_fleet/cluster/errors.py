"""What may come of asking a user's cluster for something.

::

    ClusterError              the cluster did not do what was asked
    ├── ClusterUnreachable    no answer, or no permission to ask
    │   ├── Forbidden         who asks has no right to
    │   └── NoCredentials     nobody says in time who asks
    ├── NotFound              there is no such object
    ├── Conflict              somebody else wrote first
    ├── TooManyRequests       not now: a disruption budget, or a server that is too busy
    └── NodeMissing           a node the stack names is not in the cluster
"""

from typing import Self

from mig_fleet.failures import ExpectedFailure


class ClusterError(ExpectedFailure):
    """The cluster did not do what was asked; the message says what was asked and what came back."""


class ClusterUnreachable(ClusterError):
    """No answer, or no permission to ask."""


class Forbidden(ClusterUnreachable):
    """Who asks has no right to, or is not known; asking again would get the same answer."""


class NoCredentials(ClusterUnreachable):
    """Nobody says in time who asks; asking again would wait as long."""


class NotFound(ClusterError):
    """There is no such object."""


class Conflict(ClusterError):
    """Somebody else wrote first; read again and decide again."""


class TooManyRequests(ClusterError):
    """Not now: a disruption budget says no, or the server has too much to do."""


class NodeMissing(ClusterError):
    """A node the stack names is not in the cluster."""

    def __init__(self, node: str) -> None:
        super().__init__(f"node '{node}' is not in the cluster; check the pool's nodes, or `kubectl get nodes`")
        self.node = node

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.node,)
