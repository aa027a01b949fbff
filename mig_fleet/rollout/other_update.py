"""Another update of the same stack at the same time: from a second machine whose backend has a copy of the state.

Both have the id of the cluster's owner, and no lock of a backend is shared. A node is therefore relabelled, and its
scheduling restored, only while it is as this update last saw it: the write carries the version that was read
(optimistic concurrency, Kubernetes API conventions). Each relabelling increases the attempt, which shows whose it is.
"""

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import Conflict
from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Node, attempt_of

NEXT = "let that update end, then run this one again"


def refuse_relabelled(seen: Node, there: Json) -> None:
    """Raises :class:`Conflict` if the node was relabelled by an update since ``seen``."""
    metadata = there["metadata"]
    if attempt_of(metadata.get("annotations") or {}) != seen.attempt:
        config = printable((metadata.get("labels") or {}).get(labels.CONFIG) or "")
        raise Conflict(f"another update relabelled it to {config!r} meanwhile; {NEXT}")
