"""The API server as the simulator talks to it: plain JSON, one pool of connections, errors with their reason."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
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
"""For the server's silence, not for the queue before it: a thousand nodes that change together form a long one."""
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
        """A merge patch: ``None`` removes a key."""
        return await self._call("PATCH", path, body, query={"fieldManager": manager}, content_type=MERGE_PATCH)

    async def delete(self, path: str, options: Json | None = None) -> Json:
        return await self._call("DELETE", path, options)

    async def watch(self, path: str, resource_version: str, selector: Mapping[str, str]) -> AsyncIterator[Json]:
        """Every event since ``resource_version``; ends when the server ends it."""
        query = {"watch": "true", "resourceVersion": resource_version, "allowWatchBookmarks": "true", **selector}
        try:
            async with self._session.get(path, params=query, timeout=WATCH_TIMEOUT) as answer:
                if answer.status != 200:
                    raise _refused(answer.status, f"WATCH {path}", await answer.text())
                pending = b""
                # Not by line: a ConfigMap with a program in it is longer than a stream reader's line limit.
                async for chunk in answer.content.iter_any():
                    *lines, pending = (pending + chunk).split(b"\n")
                    for line in lines:
                        yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise ApiError(0, f"WATCH {path}", str(exc) or type(exc).__name__) from exc

    async def text(self, path: str) -> str:
        """What is not JSON: a pod's log."""
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
        """A server that is out of breath is asked again, unless the first time may have created something."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._send(method, path, body, query, content_type)
            except ApiError as exc:
                passing = exc.status in (0, 429) or exc.status >= 500
                if not passing or method == "POST" or attempt == ATTEMPTS:
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
            ) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise ApiError(0, f"{method} {path}", str(exc) or type(exc).__name__) from exc
        if answer.status >= 400:
            raise _refused(answer.status, f"{method} {path}", text)
        return text


Change = Callable[[Json | None, Json | None], None]
"""An object before and after a change: ``None`` before for what is new, after for what is gone. Must not block."""


class Informer:
    """A mirror of one resource: ``objects`` by namespace/name, and a call for each difference.

    A label ``selector`` narrows it down; an object whose labels change to fit appears, or disappears, as new or gone.
    """

    RETRY_S: Final = 1.0

    def __init__(self, api: Api, path: str, changed: Change, selector: str = "") -> None:
        self.api, self.path, self.changed = api, path, changed
        self._selector = {"labelSelector": selector} if selector else {}
        self.objects: dict[str, Json] = {}
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._follow(await self._relist())
            except ApiError as exc:
                # 410: the version is too old for a watch; list again at once.
                if exc.status != 410:
                    await asyncio.sleep(self.RETRY_S)

    async def _relist(self) -> str:
        answer = await self.api.get(self.path, **self._selector)
        found = {key_of(item): item for item in answer["items"]}
        for key in self.objects.keys() - found.keys():
            self._apply(key, None)
        for key, item in found.items():
            self._apply(key, item)
        self.synced.set()
        version: str = answer["metadata"]["resourceVersion"]
        return version

    async def _follow(self, version: str) -> None:
        while True:
            async for event in self.api.watch(self.path, version, self._selector):
                item = event["object"]
                if event["type"] == "ERROR":
                    raise ApiError(item.get("code", 500), f"WATCH {self.path}", item.get("message", "unknown"))
                version = item["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._apply(key_of(item), None if event["type"] == "DELETED" else item)

    def _apply(self, key: str, after: Json | None) -> None:
        before = self.objects.get(key)
        if after is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = after
        if before is None or after is None or version_of(before) != version_of(after):
            self.changed(before, after)


def key_of(item: Json) -> str:
    """``namespace/name``, or the name alone."""
    metadata = item["metadata"]
    name: str = metadata["name"]
    return f"{metadata['namespace']}/{name}" if "namespace" in metadata else name


def version_of(item: Json) -> str:
    version: str = item["metadata"]["resourceVersion"]
    return version


def _refused(status: int, what: str, text: str) -> ApiError:
    try:
        message = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        message = text.strip()[:300] or "no reason given"
    return ApiError(status, what, message)
