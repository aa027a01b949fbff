"""A user's cluster in the words of the rollout: nodes, pods, ConfigMaps."""

import contextlib
from collections.abc import Callable, Mapping

from mig_fleet.cluster.connection import ClusterArgs, Connection, Json
from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable, Conflict, NodeMissing, NotFound, TooManyRequests
from mig_fleet.cluster.timeouts import within
from mig_fleet.model import labels

__all__ = ["Cluster", "ClusterArgs", "ClusterError", "ClusterUnreachable", "Json", "NodeMissing"]

REWRITES = 5
"""A node's taints are a list, so a change of them is read, changed and written; somebody may come in between."""

EXEC_TIMEOUT_S = 20
"""A command in a pod, from the first byte to the last: a server that accepts and stays silent is not waited for."""

OWNER = {"fieldManager": labels.FIELD_MANAGER}


class Cluster(Connection):
    """What the dynamic providers ask and write."""

    def nodes(self) -> dict[str, Json]:
        """Every node by name, in one LIST."""
        return {item["metadata"]["name"]: item for item in self.call("GET", "/api/v1/nodes")["items"]}

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

    def start_attempt(
        self,
        name: str,
        after: str | None,
        node_labels: Mapping[str, str],
        annotations: Mapping[str, str | None] | None = None,
    ) -> None:
        """Patch a node so that whatever is seen of it afterwards is known to be later than this write.

        The state label goes in the same patch, so that a `success` seen later is one of this config; the attempt's
        number goes up, so that a report of an earlier `success` is known to be stale. ``after`` is the last attempt.
        """
        attempt = str(int(after) + 1 if after and after.isdigit() else 1)
        self.patch_node(name, {**node_labels, labels.STATE: None}, {**(annotations or {}), labels.ATTEMPT: attempt})

    def close(self, name: str) -> None:
        """Put our taint on a node: nothing new starts there. One that has it already keeps it."""

        def tainted(node: Json) -> Json | None:
            there: list[Json] = node["spec"].get("taints") or []
            ours = {"key": labels.TAINT, "effect": "NoSchedule"}
            return None if any(t["key"] == labels.TAINT for t in there) else {"spec": {"taints": [*there, ours]}}

        self._rewrite(name, tainted)

    def cordon(self, name: str) -> None:
        """Make a node unschedulable and note that we did; one that somebody else cordoned stays theirs."""

        def cordoned(node: Json) -> Json | None:
            noted = {"annotations": {labels.CORDONED: "true"}}
            return None if node["spec"].get("unschedulable") else {"metadata": noted, "spec": {"unschedulable": True}}

        self._rewrite(name, cordoned)

    def open(self, name: str) -> bool:
        """Take our taints, and a cordon of ours, off a node; whether it is schedulable then. One that has neither is
        left alone.
        """
        return not self._rewrite(name, _opened)["spec"].get("unschedulable")

    def let_go(self, name: str, wave: str) -> None:
        """Open a node and take our marks off, in one write; one that is gone or another wave's by now is left alone."""

        def unmarked(node: Json) -> Json | None:
            if (node["metadata"].get("annotations") or {}).get(labels.WAVE) != wave:
                return None
            opened = _opened(node) or {}
            notes = {**opened.get("metadata", {}).get("annotations", {}), **dict.fromkeys(labels.MARKS)}
            return {**opened, "metadata": {"annotations": notes}}

        with contextlib.suppress(NodeMissing):
            self._rewrite(name, unmarked)

    def node(self, name: str) -> Json:
        """One node, as it is now; raises :class:`NodeMissing`."""
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

    def _rewrite(self, name: str, change: Callable[[Json], Json | None]) -> Json:
        """Read, change, write, and again if somebody came in between; ``None`` is no change. The node as it is then."""
        left = REWRITES
        while True:
            left -= 1
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

    def pods(self) -> list[Json]:
        """Every pod that has not ended, in any namespace, in one LIST."""
        query = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
        items: list[Json] = self.get("/api/v1/pods", query)["items"]
        return items

    def pods_on(self, node: str) -> list[Json]:
        """Every pod bound to a node, in any namespace."""
        query = {"fieldSelector": f"spec.nodeName={node}"}
        items: list[Json] = self.call("GET", "/api/v1/pods", query=query)["items"]
        return items

    def config_map(self, namespace: str, name: str) -> Json | None:
        """A ConfigMap, or ``None`` where there is none."""
        try:
            return self.call("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        except NotFound:
            return None

    def write_config_map(self, namespace: str, name: str, data: Mapping[str, str]) -> None:
        """Create it, or merge ``data`` into it in place.

        One that is there although it was not a moment ago is ours where it holds ``data``: the answer to our first
        request was lost. Any other is left alone; raises :class:`Conflict`.
        """
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": labels.FIELD_MANAGER}}
        body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
        try:
            self._patch(f"{path}/{name}", body)
        except NotFound:
            self._create_config_map(path, name, body)

    def _create_config_map(self, path: str, name: str, body: Json) -> None:
        try:
            self.call("POST", path, OWNER, body)
        except Conflict:
            if self.get(f"{path}/{name}").get("data") != body["data"]:
                raise Conflict(
                    f"ConfigMap {name} was made by somebody else while we made it, and was left alone; run the update "
                    "again to write into it"
                ) from None

    def delete_config_map(self, namespace: str, name: str) -> None:
        """Delete it; one that is gone already is no error."""
        with contextlib.suppress(NotFound):
            self.call("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    def delete_pod(self, namespace: str, name: str) -> None:
        """Delete a pod that a DaemonSet will replace; one that is gone already is no error."""
        with contextlib.suppress(NotFound):
            self.call("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}")

    def evict(self, namespace: str, name: str) -> bool:
        """Ask for a pod's eviction; whether its disruption budgets allow it now. One that is gone is no error."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        try:
            self.call("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body=body, tries=1)
        except TooManyRequests:
            return False
        except NotFound:
            return True
        return True

    def annotate_pod(self, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Merge annotations into a pod's; the kubelet synchronises a changed pod, volumes included, at once."""
        self._patch(f"/api/v1/namespaces/{namespace}/pods/{name}", {"metadata": {"annotations": dict(annotations)}})

    def execute(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        """Run a command in a pod's first container: its exit status and what it printed.

        Raises :class:`ClusterError` where that is not allowed or the pod has no such program.
        """
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError
        from websocket import WebSocketException

        try:
            return within(EXEC_TIMEOUT_S, lambda: self._talk(namespace, pod, command))
        except TimeoutError:
            text = f"{command[0]} in pod {namespace}/{pod} gave no answer within {EXEC_TIMEOUT_S} s"
            raise ClusterError(text) from None
        except (ApiException, HTTPError, WebSocketException, OSError, ValueError, TypeError, LookupError) as exc:
            reason = getattr(exc, "reason", None) or exc
            raise ClusterError(f"{command[0]} could not be run in pod {namespace}/{pod}: {reason}") from None

    def _talk(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        """The library opens a WebSocket without any bound (kubernetes 37, ws_client.create_websocket)."""
        from kubernetes import client
        from kubernetes.stream import stream

        # A client of its own: the library swaps the client's transport for a WebSocket while it talks.
        api = client.CoreV1Api(client.ApiClient(self.settings))
        wanted = {"command": command, "stderr": True, "stdin": False, "stdout": True, "tty": False}
        talk = stream(api.connect_get_namespaced_pod_exec, pod, namespace, **wanted, _preload_content=False)
        with contextlib.closing(talk):
            talk.run_forever(timeout=EXEC_TIMEOUT_S)
            if talk.returncode is None:
                raise TimeoutError
            return int(talk.returncode), f"{talk.read_stdout()}{talk.read_stderr()}".strip()

    def _patch(self, path: str, body: Json) -> Json:
        return self.call("PATCH", path, OWNER, body, "application/merge-patch+json")


def _opened(node: Json) -> Json | None:
    there: list[Json] = node["spec"].get("taints") or []
    foreign = [taint for taint in there if taint["key"] not in labels.OUR_TAINTS]
    cordoned = (node["metadata"].get("annotations") or {}).get(labels.CORDONED) == "true"
    if foreign == there and not cordoned:
        return None
    spec: Json = {} if foreign == there else {"taints": foreign or None}
    if not cordoned:
        return {"spec": spec}
    return {"metadata": {"annotations": {labels.CORDONED: None}}, "spec": {**spec, "unschedulable": None}}
