"""The API server as the simulator uses it: plain JSON, one connection pool, errors with the server's reason."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import yaml

from mig_fleet.simulator.errors import ApiError

Json = dict[str, Any]

MERGE_PATCH: Final = "application/merge-patch+json"
FIELD_MANAGER: Final = "mig-fleet-simulator"
ATTEMPTS: Final = 3
PAUSE_S: Final = 0.3
CALL_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=30)
"""Limits the time without data from the server. A total timeout would include the wait for a free connection, which is
long when a thousand nodes change together."""
WATCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5)


class Api:
    """An administrator's connection to the cluster in ``directory``; use it as an async context manager."""

    def __init__(self, directory: Path) -> None:
        document = yaml.safe_load((directory / "kubeconfig").read_text())
        self.server: str = document["clusters"][0]["cluster"]["server"]
        self._tls = ssl.create_default_context(cafile=str(directory / "pki/ca.crt"))
        self._tls.load_cert_chain(directory / "pki/admin.crt", directory / "pki/admin.key")

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=32)
        self._session = aiohttp.ClientSession(self.server, connector=connector)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str) -> Json:
        return await self._call("GET", path, query=query)

    async def create(self, path: str, body: Json, manager: str = FIELD_MANAGER) -> Json:
        return await self._call("POST", path, body, query={"fieldManager": manager})

    async def patch(self, path: str, body: Json, manager: str = FIELD_MANAGER) -> Json:
        """Send a merge patch: ``None`` removes a key."""
        return await self._call("PATCH", path, body, query={"fieldManager": manager}, content_type=MERGE_PATCH)

    async def delete(self, path: str, options: Json | None = None) -> Json:
        return await self._call("DELETE", path, options)

    async def watch(self, path: str, resource_version: str, selector: Mapping[str, str]) -> AsyncIterator[Json]:
        """Yield every event since ``resource_version``; returns when the server ends the watch."""
        query = {"watch": "true", "resourceVersion": resource_version, "allowWatchBookmarks": "true", **selector}
        try:
            async with self._session.get(path, params=query, timeout=WATCH_TIMEOUT) as response:
                if response.status != 200:
                    raise _api_error(response.status, f"WATCH {path}", await response.text())
                pending = b""
                # Not line by line: a ConfigMap that holds a program is longer than a stream reader's line limit.
                async for chunk in response.content.iter_any():
                    *lines, pending = (pending + chunk).split(b"\n")
                    for line in lines:
                        yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise ApiError(0, f"WATCH {path}", str(exc) or type(exc).__name__) from exc

    async def text(self, path: str) -> str:
        """Return a response that is not JSON: a pod's log."""
        return await self._request("GET", path)

    async def _call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        found: Json = json.loads(await self._request(method, path, body, query, content_type))
        return found

    async def _request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> str:
        """Retry while the server is overloaded or unreachable, except a POST: the first one may have succeeded."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._send(method, path, body, query, content_type)
            except ApiError as exc:
                is_transient = exc.status in (0, 429) or exc.status >= 500
                if not is_transient or method == "POST" or attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(attempt * PAUSE_S)
        raise AssertionError("the last attempt returns or raises; this is a bug in the simulator")

    async def _send(
        self, method: str, path: str, body: Json | None, query: Mapping[str, str] | None, content_type: str
    ) -> str:
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        try:
            async with self._session.request(
                method, path, params=query, data=data, headers=headers, timeout=CALL_TIMEOUT
            ) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise ApiError(0, f"{method} {path}", str(exc) or type(exc).__name__) from exc
        if response.status >= 400:
            raise _api_error(response.status, f"{method} {path}", text)
        return text


def _api_error(status: int, request: str, text: str) -> ApiError:
    try:
        message = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        message = text.strip()[:300] or "the response has no reason"
    return ApiError(status, request, message)
