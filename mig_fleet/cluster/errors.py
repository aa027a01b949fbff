"""What can go wrong between us and a user's API server.

::

    ClusterError              the API server did not do what was asked
    ├── ClusterUnreachable    no answer, or no permission to ask
    │   ├── Forbidden         the user has no right to this request
    │   ├── ExposedPassword   an address of the kubeconfig that other programs would print with its password
    │   └── NoCredentials     the kubeconfig's user has no usable credentials
    │       └── PluginHangs   its exec plugin did not exit
    ├── NotFound              the object does not exist
    ├── Conflict              another client wrote first, or the object was replaced
    ├── Invalid               the object would not be valid
    ├── TooManyRequests       a disruption budget, or a server that is too busy
    ├── NodeMissing           a node of the stack is not in the cluster
    └── NodeReplaced          another node has its name by now
"""

from typing import Self

from mig_fleet.failures import ExpectedFailure
from mig_fleet.foreign_text import printable

LONGEST = 2000
"""Characters of a message. An admission webhook may answer with an essay."""


class ClusterError(ExpectedFailure):
    """The API server did not do what was asked; the message names the request and the answer, on one printable line."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message, LONGEST))


class ClusterUnreachable(ClusterError):
    """No answer, or no permission to ask."""


class Forbidden(ClusterUnreachable):
    """The user is unknown or has no right to this request; a retry would get the same answer."""


class ExposedPassword(ClusterUnreachable):
    """An address of the kubeconfig has a password that Pulumi's Kubernetes provider would print."""


class NoCredentials(ClusterUnreachable):
    """The kubeconfig's user has no usable credentials; a retry at once would not change that."""


class PluginHangs(NoCredentials):
    """The exec plugin did not exit in time and was killed; a retry would take as long."""


class NotFound(ClusterError):
    """The object does not exist."""


class Conflict(ClusterError):
    """Another client wrote first, or another object has the name by now; read again and decide again."""


class Invalid(ClusterError):
    """The object would not be valid with this change."""


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


class NodeReplaced(ClusterError):
    """Another node has the name of the node that was looked at."""

    def __init__(self, node: str) -> None:
        super().__init__(
            f"node '{node}' was replaced during the update: another node has its name now; run the update again"
        )
        self.node = node

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.node,)
