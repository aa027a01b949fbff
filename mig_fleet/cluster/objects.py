"""Requests for objects of any kind, under our field manager."""

import contextlib

from mig_fleet.cluster.connection import Connection, Json
from mig_fleet.cluster.errors import Conflict, NotFound

FIELD_MANAGER = "mig-fleet"
"""Our name in ``metadata.managedFields`` and in ``app.kubernetes.io/managed-by``."""

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
"""Server-side apply; JSON is YAML."""


class Objects(Connection):
    """What is the same for every kind."""

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether the API server has objects of this kind."""
        try:
            return any(found["kind"] == kind for found in self.get(f"/apis/{api_version}")["resources"])
        except NotFound:
            return False

    def custom_objects(self, api_version: str, plural: str) -> list[Json] | None:
        """All objects of a custom resource that has no namespace; ``None`` if the API server does not serve it."""
        try:
            items: list[Json] = self.get(f"/apis/{api_version}/{plural}")["items"]
        except NotFound:
            return None
        return items

    def apply(self, path: str, manifest: Json) -> Json:
        """Create an object, or take back what other clients changed of it, by server-side apply."""
        return self.call("PATCH", path, {"fieldManager": FIELD_MANAGER, "force": "true"}, manifest, APPLY_PATCH)

    def replace(self, path: str, body: Json) -> Json:
        """Write an object as a whole; raises :class:`Conflict` if it is not the version that ``body`` names."""
        return self.call("PUT", path, {"fieldManager": FIELD_MANAGER}, body)

    def recreate(self, path: str, manifest: Json, uid: str) -> Json:
        """Delete the object with this uid and create it again.

        The creation is tried first without a change: where the API server refuses it, it raises and the object stays.
        """
        with contextlib.suppress(Conflict):  # Only the name is taken.
            self.call("POST", path.rpartition("/")[0], {"dryRun": "All"}, manifest)
        self.call("DELETE", path, body={"preconditions": {"uid": uid}})
        return self.apply(path, manifest)

    def merge(self, path: str, fields: Json) -> Json:
        """Merge fields into an object that exists; raises :class:`NotFound`."""
        return self.call("PATCH", path, {"fieldManager": FIELD_MANAGER}, fields, MERGE_PATCH)
