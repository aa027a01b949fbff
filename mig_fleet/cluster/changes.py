"""What changes in collections within a second, by watches that end then.

An answer has the changes only, where that to a LIST has every object.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mig_fleet.cluster.connection import Connection, Request


@dataclass(frozen=True, slots=True)
class Since:
    """A collection, and its resource version at a moment."""

    path: str
    query: Mapping[str, str]
    version: str


class Changes(Connection):
    """A cluster's changes."""

    def since_now(self, path: str, query: Mapping[str, str]) -> Since:
        """This moment of a collection. Raises :class:`~mig_fleet.cluster.errors.ClusterError`."""
        found = self.get(path, {**query, "limit": "1"})
        return Since(path, query, found["metadata"]["resourceVersion"])

    def changes(self, since: Sequence[Since], within_s: int) -> list[bytes]:
        """The changes of each collection within the next seconds, for
        :func:`~mig_fleet.cluster.lists.decode_changes`. Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
        """

        def watch(it: Since) -> bytes:
            bounds = {"watch": "true", "resourceVersion": it.version, "timeoutSeconds": str(within_s)}
            return self._answer(Request("GET", it.path, {**it.query, **bounds}), tries=1)

        with ThreadPoolExecutor(len(since)) as executor:
            return list(executor.map(watch, since))
