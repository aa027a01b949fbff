"""Requests for nodes. A write may be bound to the node that was looked at: another one may have its name by then."""

import re
from collections.abc import Callable, Mapping

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import Conflict, Invalid, NodeMissing, NodeReplaced, NotFound
from mig_fleet.cluster.objects import Objects

REWRITES = 10
"""Attempts to read, change and write a node. While it joins or restarts, its kubelet, MIG Manager and controllers write
to it several times a second."""

UID = re.compile(r"\bUID\b", re.IGNORECASE)
"""In the API server's answer to a patch that would change it: ``metadata.uid: … field is immutable`` (apimachinery
pkg/api/validation/objectmeta.go), or ``UID in precondition`` (apiserver pkg/storage/interfaces.go).
"""


class Nodes(Objects):
    """The nodes of a cluster. With a ``uid``, writes raise :class:`NodeReplaced` if the node has another one."""

    def node(self, name: str) -> Json:
        """One node as it is now; raises :class:`NodeMissing`."""
        try:
            return self.get(f"/api/v1/nodes/{name}")
        except NotFound:
            raise NodeMissing(name) from None

    def patch_node(
        self,
        name: str,
        node_labels: Mapping[str, str | None],
        annotations: Mapping[str, str | None],
        uid: str = "",
    ) -> Json:
        """Merge-patch labels and annotations (``None`` removes one) under our field manager; never creates a node."""
        metadata: Json = {"labels": dict(node_labels), "annotations": dict(annotations)}
        try:
            return self.merge(f"/api/v1/nodes/{name}", {"metadata": {**metadata, **({"uid": uid} if uid else {})}})
        except NotFound:
            raise NodeMissing(name) from None
        except (Invalid, Conflict) as exc:
            if not UID.search(str(exc)):
                raise
            raise NodeReplaced(name) from None

    def rewrite_node(self, name: str, change: Callable[[Json], Json | None], uid: str = "") -> Json:
        """Read a node, apply the merge patch that ``change`` returns for it, and return the resulting node.

        For lists such as taints, which a merge patch replaces as a whole: the write carries the version that was read
        and is retried on a conflict. ``None`` is no change. Raises :class:`NodeMissing`, or :class:`Conflict` after
        :data:`REWRITES` attempts.
        """
        for left in reversed(range(REWRITES)):
            node = self.node(name)
            if uid and node["metadata"]["uid"] != uid:
                raise NodeReplaced(name)
            body = change(node)
            if body is None:
                return node
            version = {"resourceVersion": node["metadata"]["resourceVersion"]}
            try:
                return self.merge(
                    f"/api/v1/nodes/{name}", {**body, "metadata": {**body.get("metadata", {}), **version}}
                )
            except NotFound:
                raise NodeMissing(name) from None
            except Conflict:
                if not left:
                    raise
        raise AssertionError("the last attempt returns or raises")
