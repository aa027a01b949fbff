"""The requests that the product makes: nodes, pods, ConfigMaps, objects of any kind."""

import contextlib
from collections.abc import Mapping
from types import MappingProxyType

from mig_fleet.cluster.changes import Changes
from mig_fleet.cluster.connection import ClusterArgs, Json
from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable, Conflict, NodeMissing, NotFound
from mig_fleet.cluster.nodes import Nodes
from mig_fleet.cluster.objects import FIELD_MANAGER
from mig_fleet.cluster.pods import Pods

__all__ = ["FIELD_MANAGER", "Cluster", "ClusterArgs", "ClusterError", "ClusterUnreachable", "Json", "NodeMissing"]


class Cluster(Nodes, Pods, Changes):
    """A cluster as the rollout reads and writes it."""

    def config_maps(self, namespace: str) -> list[Json]:
        """Every ConfigMap of a namespace."""
        items: list[Json] = self.get(f"/api/v1/namespaces/{namespace}/configmaps")["items"]
        return items

    def config_map(self, namespace: str, name: str) -> Json | None:
        """A ConfigMap, or ``None`` if it does not exist."""
        try:
            return self.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        except NotFound:
            return None

    def write_config_map(
        self,
        namespace: str,
        name: str,
        data: Mapping[str, str],
        annotations: Mapping[str, str | None] = MappingProxyType({}),
    ) -> None:
        """Create the ConfigMap, or merge ``data`` and ``annotations`` into it (``None`` removes one).

        A ConfigMap that appears between our patch and our create counts as ours if it has ``data`` (the answer to our
        first request was lost). Otherwise it is not changed and :class:`Conflict` is raised.
        """
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        managed = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
        metadata = {"name": name, "labels": managed, "annotations": dict(annotations)}
        body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
        try:
            self.merge(f"{path}/{name}", body)
        except NotFound:
            self._create_config_map(path, name, body)

    def _create_config_map(self, path: str, name: str, body: Json) -> None:
        try:
            self.call("POST", path, {"fieldManager": FIELD_MANAGER}, body)
        except Conflict:
            if self.get(f"{path}/{name}").get("data") != body["data"]:
                raise Conflict(
                    f"ConfigMap {name} was created by another client at the same moment and was not changed; run "
                    "the update again to write into it"
                ) from None

    def delete_config_map(self, namespace: str, name: str) -> None:
        """Delete it; a missing one is not an error."""
        with contextlib.suppress(NotFound):
            self.call("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    def account_may(self, namespace: str, account: str, verb: str, resource: str, where: str = "") -> bool:
        """Whether a service account has a right in namespace ``where``, or in the whole cluster; changes nothing."""
        groups = ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
        attributes = {"verb": verb, "resource": resource, "version": "v1", "namespace": where}
        asked = {"user": f"system:serviceaccount:{namespace}:{account}", "groups": groups}
        body: Json = {"spec": {**asked, "resourceAttributes": attributes}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return bool(self.call("POST", path, body=body)["status"].get("allowed"))
