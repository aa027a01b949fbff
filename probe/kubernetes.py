"""The three calls a probe makes to the API server, with the pod's own service account and the standard library."""

import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

Json = dict[str, Any]

CREDENTIALS = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes mounts a pod's token, certificate authority and namespace."""

CREDENTIALS_VARIABLE = "MIG_PROBE_CREDENTIALS"
TIMEOUT_S = 10


class ApiError(Exception):
    """The API server refused or did not answer; ``status`` is 0 where there was no answer."""

    def __init__(self, request: str, status: int, detail: str) -> None:
        super().__init__(request, status, detail)
        self.request, self.status, self.detail = request, status, detail

    def __str__(self) -> str:
        return f"{self.request}: {f'answered {self.status}: ' if self.status else ''}{self.detail}"


class Api:
    """A connection as the pod; the token is read for each call, because kubelet renews it."""

    def __init__(self) -> None:
        self._credentials = Path(os.environ.get(CREDENTIALS_VARIABLE) or CREDENTIALS)
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        self._base = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        self._tls = ssl.create_default_context(cafile=str(self._credentials / "ca.crt"))
        self.namespace = (self._credentials / "namespace").read_text().strip()

    def node(self, name: str) -> Json:
        return self._call("GET", f"/api/v1/nodes/{name}")

    def publish(self, config_map: Json) -> None:
        """Create the ConfigMap, or replace its labels and data where it exists."""
        name = config_map["metadata"]["name"]
        collection = f"/api/v1/namespaces/{self.namespace}/configmaps"
        try:
            self._call("PATCH", f"{collection}/{name}", config_map, "application/merge-patch+json")
        except ApiError as exc:
            if exc.status != 404:
                raise
            self._call("POST", collection, config_map, "application/json")

    def _call(self, method: str, path: str, body: Json | None = None, content_type: str | None = None) -> Json:
        request = urllib.request.Request(self._base + path, method=method)
        request.add_header("Authorization", f"Bearer {(self._credentials / 'token').read_text().strip()}")
        request.add_header("Accept", "application/json")
        if content_type:
            request.add_header("Content-Type", content_type)
        payload = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, payload, timeout=TIMEOUT_S, context=self._tls) as response:
                answer: Json = json.load(response)
                return answer
        except urllib.error.HTTPError as exc:
            raise ApiError(f"{method} {path}", exc.code, exc.read(300).decode(errors="replace")) from None
        except (OSError, ValueError) as exc:
            raise ApiError(f"{method} {path}", 0, str(exc)) from None
