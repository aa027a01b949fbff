"""A user's cluster as the dynamic providers see it: a few bounded calls on nodes, pods and reports.

Answers are plain JSON dictionaries: the client's typed models cost seconds for a thousand nodes and buy nothing here.
The client library is imported when a cluster is opened, never with this module, which the Pulumi program imports too.
"""

import contextlib
import json
from collections.abc import Mapping
from typing import Any, Self, TypedDict

from mig import labels
from mig.errors import InvalidReport
from mig.report import Report

Json = dict[str, Any]

CALL_TIMEOUT_S = 10
"""One call, connect and read together at most about this long: a preview shall fail, not hang."""


class ClusterArgs(TypedDict, total=False):
    """Where the cluster is: a path and a context name, never credentials, because inputs are shown and stored."""

    kubeconfig: str
    context: str


class ClusterError(Exception):
    """The cluster did not do what was asked; the message says what was asked and what came back."""


class ClusterUnreachable(ClusterError):
    """No answer, or no permission to ask."""


class NodeMissing(ClusterError):
    """A node the stack names is not in the cluster."""

    def __init__(self, node: str) -> None:
        super().__init__(f"node '{node}' is not in the cluster; check the pool's nodes, or `kubectl get nodes`")
        self.node = node

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.node,)


class Cluster:
    """A connection; opening it reads the kubeconfig and makes no call."""

    def __init__(self, args: ClusterArgs | Mapping[str, str] | None = None) -> None:
        import yaml
        from kubernetes import client, config
        from kubernetes.config import ConfigException

        where: dict[str, str] = dict(args or {})  # type: ignore[arg-type]  # a TypedDict of str is one
        settings = client.Configuration()
        settings.retries = 1
        try:
            config.load_kube_config(
                config_file=where.get("kubeconfig"),
                context=where.get("context"),
                client_configuration=settings,
                persist_config=False,
            )
        except (ConfigException, OSError, yaml.YAMLError, TypeError, ValueError, AttributeError, KeyError) as exc:
            raise ClusterUnreachable(
                f"no usable kubeconfig at {where.get('kubeconfig') or 'the default place'}"
                f"{' for context ' + where['context'] if 'context' in where else ''}: {exc}"
            ) from None
        self.server: str = settings.host
        self._api = client.ApiClient(settings)

    def get(self, path: str) -> Json:
        """Any object or list by its path."""
        return self._call("GET", path)

    def nodes(self) -> dict[str, Json]:
        """Every node by name, in one LIST."""
        return {item["metadata"]["name"]: item for item in self._call("GET", "/api/v1/nodes")["items"]}

    def reports(self, namespace: str) -> dict[str, Report]:
        """What the probes wrote, by node, in one LIST; unreadable reports are left out, as if not yet written."""
        query = {"labelSelector": f"{labels.REPORT_LABEL}=true"}
        found: dict[str, Report] = {}
        for item in self._call("GET", f"/api/v1/namespaces/{namespace}/configmaps", query=query)["items"]:
            text = (item.get("data") or {}).get(labels.REPORT_KEY, "")
            try:
                report = Report.from_json(text)
            except InvalidReport:
                continue
            # A probe may write any report's ConfigMap of its namespace, so the name decides whose report it is.
            if item["metadata"]["name"] == labels.REPORT_PREFIX + report.node:
                found[report.node] = report
        return found

    def patch_node(
        self, name: str, node_labels: Mapping[str, str | None], annotations: Mapping[str, str | None]
    ) -> Json:
        """Merge-patch labels and annotations (``None`` removes one) under our field manager; never creates a node."""
        body = {"metadata": {"labels": dict(node_labels), "annotations": dict(annotations)}}
        try:
            return self._call(
                "PATCH",
                f"/api/v1/nodes/{name}",
                query={"fieldManager": labels.FIELD_MANAGER},
                body=body,
                content_type="application/merge-patch+json",
            )
        except _NotFound:
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

    def pods_on(self, node: str) -> list[Json]:
        """Every pod bound to a node, in any namespace."""
        query = {"fieldSelector": f"spec.nodeName={node}"}
        items: list[Json] = self._call("GET", "/api/v1/pods", query=query)["items"]
        return items

    def config_map(self, namespace: str, name: str) -> Json | None:
        """A ConfigMap, or ``None`` where there is none."""
        try:
            return self._call("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        except _NotFound:
            return None

    def write_config_map(self, namespace: str, name: str, data: Mapping[str, str]) -> None:
        """Create it, or merge ``data`` into it in place."""
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": labels.FIELD_MANAGER}}
        body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
        owner = {"fieldManager": labels.FIELD_MANAGER}
        try:
            self._call("PATCH", f"{path}/{name}", owner, body, "application/merge-patch+json")
        except _NotFound:
            self._call("POST", path, owner, body)

    def delete_config_map(self, namespace: str, name: str) -> None:
        """Delete it; one that is gone already is no error."""
        with contextlib.suppress(_NotFound):
            self._call("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    def delete_pod(self, namespace: str, name: str) -> None:
        """Delete a pod that a DaemonSet will replace; one that is gone already is no error."""
        with contextlib.suppress(_NotFound):
            self._call("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}")

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        request = f"{method} {path}"
        try:
            _, url, headers, payload, _ = self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            response = self._api.call_api(
                method, url, header_params=headers, body=payload, _request_timeout=(CALL_TIMEOUT_S, CALL_TIMEOUT_S)
            )
            answer = response.read()
        except (ApiException, HTTPError) as exc:
            raise ClusterUnreachable(f"the cluster at {self.server} does not answer: {_root_cause(exc)}") from None
        if response.status >= 400:
            raise _refusal(request, response.status, answer)
        data: Json = json.loads(answer)
        return data


class _NotFound(ClusterError):
    pass


def _refusal(request: str, status: int, answer: bytes) -> ClusterError:
    try:
        message = json.loads(answer)["message"]
    except (ValueError, KeyError):
        message = answer[:200].decode(errors="replace")
    if status == 404:
        return _NotFound(f"{request}: {message}")
    if status in (401, 403):
        return ClusterUnreachable(f"the cluster refuses {request}: {message}")
    return ClusterError(f"{request} answered {status}: {message}")


def _root_cause(exc: BaseException) -> str:
    reason = getattr(exc, "reason", None)
    return _root_cause(reason) if isinstance(reason, BaseException) else str(exc)
