"""The requests that the product makes: nodes, pods, ConfigMaps, commands in pods."""

import contextlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from mig_fleet.cluster.connection import ClusterArgs, Connection, Json
from mig_fleet.cluster.errors import (
    ClusterError,
    ClusterUnreachable,
    Conflict,
    NodeMissing,
    NotFound,
    TooManyRequests,
)
from mig_fleet.cluster.timeouts import call_within

__all__ = ["Cluster", "ClusterArgs", "ClusterError", "ClusterUnreachable", "Json", "NodeMissing"]

FIELD_MANAGER = "mig-fleet"
"""Our name in ``metadata.managedFields`` and in ``app.kubernetes.io/managed-by``."""

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
"""Server-side apply; JSON is YAML."""

REWRITES = 5
"""Attempts to read, change and write a node; another client may write in between."""

EXEC_TIMEOUT_S = 20
"""Seconds for a command in a pod, from the first byte to the last."""


class Cluster(Connection):
    """A cluster as the rollout reads and writes it."""

    def patch_node(
        self,
        name: str,
        node_labels: Mapping[str, str | None],
        annotations: Mapping[str, str | None],
    ) -> Json:
        """Merge-patch labels and annotations (``None`` removes one) under our field manager; never creates a node."""
        body: Json = {"metadata": {"labels": dict(node_labels), "annotations": dict(annotations)}}
        try:
            return self._patch(f"/api/v1/nodes/{name}", body)
        except NotFound:
            raise NodeMissing(name) from None

    def rewrite_node(self, name: str, change: Callable[[Json], Json | None]) -> Json:
        """Read a node, apply the merge patch that ``change`` returns for it, and return the resulting node.

        For lists such as taints, which a merge patch replaces as a whole: the write carries the version that was read
        and is retried on a conflict. ``None`` is no change. Raises :class:`NodeMissing`, or :class:`Conflict` after
        :data:`REWRITES` attempts.
        """
        for left in reversed(range(REWRITES)):
            node = self.node(name)
            body = change(node)
            if body is None:
                return node
            version = {"resourceVersion": node["metadata"]["resourceVersion"]}
            try:
                return self._patch(
                    f"/api/v1/nodes/{name}", {**body, "metadata": {**body.get("metadata", {}), **version}}
                )
            except NotFound:
                raise NodeMissing(name) from None
            except Conflict:
                if not left:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def node(self, name: str) -> Json:
        """One node as it is now; raises :class:`NodeMissing`."""
        try:
            return self.get(f"/api/v1/nodes/{name}")
        except NotFound:
            raise NodeMissing(name) from None

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether the API server has objects of this kind."""
        try:
            return any(found["kind"] == kind for found in self.get(f"/apis/{api_version}")["resources"])
        except NotFound:
            return False

    def pods(self) -> list[Json]:
        """Every pod that has not ended, in all namespaces, in one LIST."""
        query = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
        items: list[Json] = self.get("/api/v1/pods", query)["items"]
        return items

    def pods_on(self, node: str) -> list[Json]:
        """Every pod bound to a node, in all namespaces."""
        query = {"fieldSelector": f"spec.nodeName={node}"}
        items: list[Json] = self.get("/api/v1/pods", query)["items"]
        return items

    def pods_in(self, namespace: str, label_selector: str) -> list[Json]:
        """The pods of a namespace with these labels."""
        items: list[Json] = self.get(f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": label_selector})["items"]
        return items

    def custom_objects(self, api_version: str, plural: str) -> list[Json] | None:
        """All objects of a custom resource that has no namespace; ``None`` if the API server does not serve it."""
        try:
            items: list[Json] = self.get(f"/apis/{api_version}/{plural}")["items"]
        except NotFound:
            return None
        return items

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
            self._patch(f"{path}/{name}", body)
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

    def apply(self, path: str, manifest: Json) -> Json:
        """Create an object, or take back what other clients changed of it, by server-side apply."""
        return self.call("PATCH", path, {"fieldManager": FIELD_MANAGER, "force": "true"}, manifest, APPLY_PATCH)

    def merge(self, path: str, fields: Json) -> Json:
        """Merge fields into an object that exists; raises :class:`NotFound`."""
        return self._patch(path, fields)

    def account_may(self, namespace: str, account: str, verb: str, resource: str, where: str = "") -> bool:
        """Whether a service account has a right in namespace ``where``, or in the whole cluster; changes nothing."""
        groups = ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
        attributes = {"verb": verb, "resource": resource, "version": "v1", "namespace": where}
        asked = {"user": f"system:serviceaccount:{namespace}:{account}", "groups": groups}
        body: Json = {"spec": {**asked, "resourceAttributes": attributes}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return bool(self.call("POST", path, body=body)["status"].get("allowed"))

    def last_log_line(self, namespace: str, pod: str) -> str:
        """The last line of a pod's log; empty if it has none."""
        lines = self.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", {"tailLines": "1"}).strip().splitlines()
        return lines[-1] if lines else ""

    def delete_config_map(self, namespace: str, name: str) -> None:
        """Delete it; a missing one is not an error."""
        with contextlib.suppress(NotFound):
            self.call("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    def delete_pod(self, namespace: str, name: str) -> None:
        """Delete a pod that its DaemonSet replaces; a missing one is not an error."""
        with contextlib.suppress(NotFound):
            self.call("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}")

    def evict(self, namespace: str, name: str) -> str | None:
        """Request a pod's eviction; ``None`` if it is accepted, or if the pod is missing.

        Otherwise a disruption budget refuses it now: returns the sentences that name the budget, or an empty text if
        the API server names none.
        """
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        try:
            self.call("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body=body, tries=1)
        except TooManyRequests as exc:
            return "; ".join(exc.causes)
        except NotFound:
            return None
        return None

    def disruption_budgets(self, namespace: str) -> list[Json]:
        """The PodDisruptionBudgets of a namespace."""
        items: list[Json] = self.get(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets")["items"]
        return items

    def annotate_pod(self, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Merge annotations into a pod's; the kubelet then synchronises the pod at once, volumes included."""
        self._patch(f"/api/v1/namespaces/{namespace}/pods/{name}", {"metadata": {"annotations": dict(annotations)}})

    def execute(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        """Run a command in a pod's first container; returns its exit status and output.

        Raises :class:`ClusterError` if that is forbidden, times out, or the pod lacks the program.
        """
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError
        from websocket import WebSocketException

        try:
            return call_within(EXEC_TIMEOUT_S, lambda: self._exec(namespace, pod, command))
        except TimeoutError:
            text = f"{command[0]} in pod {namespace}/{pod} gave no answer within {EXEC_TIMEOUT_S} s"
            raise ClusterError(text) from None
        except (ApiException, HTTPError, WebSocketException, OSError, ValueError, TypeError, LookupError) as exc:
            reason = getattr(exc, "reason", None) or exc
            raise ClusterError(f"{command[0]} could not be run in pod {namespace}/{pod}: {reason}") from None

    def _exec(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        """The library opens a WebSocket without a timeout (kubernetes 37, ws_client.create_websocket)."""
        from kubernetes import client
        from kubernetes.stream import stream

        # A client of its own: the library replaces the client's transport by a WebSocket during the call.
        api = client.CoreV1Api(client.ApiClient(self.settings))
        options = {"command": command, "stderr": True, "stdin": False, "stdout": True, "tty": False}
        session = stream(api.connect_get_namespaced_pod_exec, pod, namespace, **options, _preload_content=False)
        try:
            session.run_forever(timeout=EXEC_TIMEOUT_S)
            if session.returncode is None:
                raise TimeoutError
            return int(session.returncode), f"{session.read_stdout()}{session.read_stderr()}".strip()
        finally:
            session.close()
            # If the server closed the WebSocket first, `close` leaves its TCP socket open (websocket-client 1.9).
            session.sock.shutdown()

    def _patch(self, path: str, body: Json) -> Json:
        return self.call("PATCH", path, {"fieldManager": FIELD_MANAGER}, body, MERGE_PATCH)
