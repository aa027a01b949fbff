"""The four requests of a probe to the API server, with the pod's own service account and the standard library.

One connection is kept for all of them but the watch: the TLS handshakes of a thousand probes, one for each request,
would keep an API server busy.
"""

import json
import os
import ssl
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mig_fleet.model import labels
from mig_fleet.probe.json_stream import JsonStream, Refused

Json = dict[str, Any]

CREDENTIALS = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes mounts a pod's token, certificate authority and namespace."""

CREDENTIALS_VARIABLE = "MIG_PROBE_CREDENTIALS"
TIMEOUT_S = 10

API_HOST = "kubernetes.default.svc"
"""The API server's name in every cluster."""

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""A node without its images and conditions: a tenth of the bytes (Kubernetes API concepts, metadata-only fetches)."""


class ApiError(Exception):
    """The API server refused a request or did not answer; ``status`` is 0 if there was no answer."""

    def __init__(self, request: str, status: int, detail: str) -> None:
        super().__init__(request, status, detail)
        self.request, self.status, self.detail = request, status, detail

    def __str__(self) -> str:
        return f"{self.request}: {f'answered {self.status}: ' if self.status else ''}{self.detail}"


class Api:
    """A client with the pod's credentials. The first request connects, and raises ApiError if the pod lacks them."""

    def __init__(self) -> None:
        self._credentials = Path(os.environ.get(CREDENTIALS_VARIABLE) or CREDENTIALS)
        self._connection: HTTPSConnection | None = None

    def node(self, name: str) -> Json:
        """A node's metadata. Raises ApiError."""
        return self._request("GET", f"/api/v1/nodes/{name}", headers={"Accept": METADATA_ONLY})

    def watch_node(self, name: str, lifetime_s: int) -> JsonStream:
        """The changes of a node's metadata, which the server ends after ``lifetime_s`` seconds. Raises ApiError.

        Without a resource version the server sends the node as it is first, so nothing is lost between two watches
        (Kubernetes API concepts, semantics for watch).
        """
        selected = {"watch": "true", "fieldSelector": f"metadata.name={name}", "allowWatchBookmarks": "true"}
        path = f"/api/v1/nodes?{urlencode({**selected, 'timeoutSeconds': lifetime_s})}"
        request = f"WATCH /api/v1/nodes/{name}"
        connection = self._connect()
        headers = {"Host": API_HOST, "Accept": METADATA_ONLY, **self._authorization()}
        try:
            connection.connect()
            return JsonStream(connection.sock, path, headers)
        except (OSError, ValueError, HTTPException) as exc:
            connection.close()
            if isinstance(exc, Refused):
                raise ApiError(request, exc.status, str(_decoded(exc.body).get("message"))) from None
            raise ApiError(request, 0, str(exc) or type(exc).__name__) from None

    def publish(self, config_map: Json) -> None:
        """Create the ConfigMap in the pod's namespace, or replace the labels, annotations and data of an existing one.

        Raises ApiError.
        """
        name = config_map["metadata"]["name"]
        collection = f"/api/v1/namespaces/{self._read_credential('namespace')}/configmaps"
        query = f"fieldManager={labels.PROBE}"
        try:
            patch = {"Content-Type": "application/merge-patch+json"}
            self._request("PATCH", f"{collection}/{name}?{query}", config_map, patch)
        except ApiError as exc:
            if exc.status != 404:
                raise
            self._request("POST", f"{collection}?{query}", config_map, {"Content-Type": "application/json"})

    def _request(self, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None) -> Json:
        request = f"{method} {path.partition('?')[0]}"
        all_headers = {"Accept": "application/json", **self._authorization(), **(headers or {})}
        payload = None if body is None else json.dumps(body).encode()
        try:
            status, answer = self._exchange(method, path, payload, all_headers)
        except (OSError, HTTPException) as exc:
            self._disconnect()
            raise ApiError(request, 0, str(exc) or type(exc).__name__) from None
        data = _decoded(answer)
        if status >= 400:
            raise ApiError(request, status, str(data.get("message")))
        return data

    def _exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        was_connected = self._connection is not None
        connection = self._connection = self._connection or self._connect()
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (ConnectionError, ssl.SSLError, HTTPException):
            if not was_connected:
                raise
        # The server closes idle connections, as between two heartbeats. Each request may be sent twice without harm.
        self._disconnect()
        return self._exchange(method, path, payload, headers)

    def _connect(self) -> HTTPSConnection:
        try:
            host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
        except (KeyError, ValueError):
            raise ApiError("KUBERNETES_SERVICE_HOST and _PORT", 0, "name no API server; is this a pod?") from None
        tls = ssl.create_default_context(cadata=self._read_credential("ca.crt"))
        return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=tls)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _authorization(self) -> dict[str, str]:
        # The token is read for each request, because the kubelet renews it.
        return {"Authorization": f"Bearer {self._read_credential('token')}"}

    def _read_credential(self, name: str) -> str:
        path = self._credentials / name
        try:
            return path.read_text().strip()
        except OSError as exc:
            raise ApiError(f"service account file {path}", 0, f"{exc.strerror}; is its token mounted?") from None


def _decoded(answer: bytes) -> Json:
    """An answer that is no JSON as its message."""
    try:
        data = json.loads(answer)
    except ValueError:
        data = None
    return data if isinstance(data, dict) else {"message": answer[:300].decode(errors="replace")}
