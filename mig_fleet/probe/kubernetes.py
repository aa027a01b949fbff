"""The three calls a probe makes to the API server, with the pod's own service account and the standard library.

One connection is kept from round to round: a thousand probes that shake hands anew for each call would keep an API
server busy with nothing else.
"""

import json
import os
import ssl
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

from mig_fleet.model import labels

Json = dict[str, Any]

CREDENTIALS = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes mounts a pod's token, certificate authority and namespace."""

CREDENTIALS_VARIABLE = "MIG_PROBE_CREDENTIALS"
TIMEOUT_S = 10

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""A node without its images and conditions: a tenth of the bytes (Kubernetes API concepts, metadata-only fetches)."""


class ApiError(Exception):
    """The API server refused or did not answer; ``status`` is 0 where there was no answer."""

    def __init__(self, request: str, status: int, detail: str) -> None:
        super().__init__(request, status, detail)
        self.request, self.status, self.detail = request, status, detail

    def __str__(self) -> str:
        return f"{self.request}: {f'answered {self.status}: ' if self.status else ''}{self.detail}"


class Api:
    """A connection as the pod. Opening it makes no call; what is wrong with the pod shows in the first one."""

    def __init__(self) -> None:
        self._credentials = Path(os.environ.get(CREDENTIALS_VARIABLE) or CREDENTIALS)
        self._connection: HTTPSConnection | None = None

    def node(self, name: str) -> Json:
        """A node's metadata."""
        return self._call("GET", f"/api/v1/nodes/{name}", headers={"Accept": METADATA_ONLY})

    def publish(self, config_map: Json) -> None:
        """Create the ConfigMap in the pod's namespace, or replace its labels, annotations and data where it exists."""
        name = config_map["metadata"]["name"]
        collection = f"/api/v1/namespaces/{self._read('namespace')}/configmaps"
        owner = f"fieldManager={labels.PROBE}"
        try:
            patch = {"Content-Type": "application/merge-patch+json"}
            self._call("PATCH", f"{collection}/{name}?{owner}", config_map, patch)
        except ApiError as exc:
            if exc.status != 404:
                raise
            self._call("POST", f"{collection}?{owner}", config_map, {"Content-Type": "application/json"})

    def _call(self, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None) -> Json:
        request = f"{method} {path.partition('?')[0]}"
        # The token is read for each call, because kubelet renews it.
        words = {"Accept": "application/json", "Authorization": f"Bearer {self._read('token')}", **(headers or {})}
        payload = None if body is None else json.dumps(body).encode()
        try:
            status, answer = self._exchange(method, path, payload, words)
        except (OSError, HTTPException) as exc:
            self._close()
            raise ApiError(request, 0, str(exc) or type(exc).__name__) from None
        try:
            data: Json = json.loads(answer)
        except ValueError:
            data = {"message": answer[:300].decode(errors="replace")}
        if status >= 400:
            raise ApiError(request, status, str(data.get("message")))
        return data

    def _exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        kept = self._connection is not None
        connection = self._connection = self._connection or self._open()
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (ConnectionError, HTTPException):
            if not kept:
                raise
        # The server closes connections that rest, and every call here may be made twice.
        self._close()
        return self._exchange(method, path, payload, headers)

    def _open(self) -> HTTPSConnection:
        try:
            host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
        except (KeyError, ValueError):
            raise ApiError("KUBERNETES_SERVICE_HOST and _PORT", 0, "name no API server; is this a pod?") from None
        tls = ssl.create_default_context(cadata=self._read("ca.crt"))
        return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=tls)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, name: str) -> str:
        path = self._credentials / name
        try:
            return path.read_text().strip()
        except OSError as exc:
            raise ApiError(f"service account file {path}", 0, f"{exc.strerror}; is its token mounted?") from None
