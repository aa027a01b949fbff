"""What can go wrong between us and a user's API server.

::

    ClusterError              the API server did not do what was asked
    ├── ClusterUnreachable    no answer, or no permission to ask
    │   ├── Forbidden         the user has no right to this request
    │   └── NoCredentials     the kubeconfig's user gave no credentials in time
    ├── NotFound              the object does not exist
    ├── Conflict              another client wrote first
    ├── TooManyRequests       a disruption budget, or a server that is too busy
    └── NodeMissing           a node of the stack is not in the cluster
"""

from typing import Self

from mig_fleet.failures import ExpectedFailure


class ClusterError(ExpectedFailure):
    """The API server did not do what was asked; the message names the request and the answer."""


class ClusterUnreachable(ClusterError):
    """No answer, or no permission to ask."""


class Forbidden(ClusterUnreachable):
    """The user is unknown or has no right to this request; a retry would get the same answer."""


class NoCredentials(ClusterUnreachable):
    """The kubeconfig's user gave no credentials in time; a retry would take as long."""


class NotFound(ClusterError):
    """The object does not exist."""


class Conflict(ClusterError):
    """Another client wrote first; read again and decide again."""


class TooManyRequests(ClusterError):
    """A disruption budget refuses this now, or the server is too busy."""

    def __init__(self, message: str, causes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.causes = causes
        """The server's ``details.causes``: one sentence per disruption budget, with its name."""

    def __reduce__(self) -> tuple[type[Self], tuple[str, tuple[str, ...]]]:
        return type(self), (str(self), self.causes)


class NodeMissing(ClusterError):
    """A node of the stack is not in the cluster."""

    def __init__(self, node: str) -> None:
        super().__init__(f"node '{node}' is not in the cluster; check the pool's nodes, or `kubectl get nodes`")
        self.node = node

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.node,)
