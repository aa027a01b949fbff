"""A local copy of all objects of one resource, kept current by a watch."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.errors import ApiError

Listener = Callable[[Json | None, Json | None], None]
"""Called with an object before and after a change: ``None`` before its creation and after its deletion. It must not
block."""


class Informer:
    """Keeps ``objects``, by ``namespace/name``, and calls each of ``listeners`` for every change.

    With a label ``selector``, an object that starts to match counts as created, one that stops to match as deleted.
    """

    RETRY_S: Final = 1.0

    def __init__(self, api: Api, path: str, selector: str = "") -> None:
        self.api, self.path = api, path
        self._selector = {"labelSelector": selector} if selector else {}
        self.objects: dict[str, Json] = {}
        self.listeners: list[Listener] = []
        self.synced = asyncio.Event()

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call ``listener`` for each change inside the ``with`` block."""
        self.listeners.append(listener)
        try:
            yield
        finally:
            self.listeners.remove(listener)

    async def run(self) -> None:
        """List, then watch, until cancelled."""
        while True:
            try:
                await self._watch(await self._list())
            except ApiError as exc:
                # 410: the version is too old for a watch; list again at once.
                if exc.status != 410:
                    await asyncio.sleep(self.RETRY_S)

    async def _list(self) -> str:
        """Take over the server's list; returns its resource version."""
        answer = await self.api.get(self.path, **self._selector)
        found = {key_of(item): item for item in answer["items"]}
        for key in self.objects.keys() - found.keys():
            self._apply(key, None)
        for key, item in found.items():
            self._apply(key, item)
        self.synced.set()
        version: str = answer["metadata"]["resourceVersion"]
        return version

    async def _watch(self, version: str) -> None:
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
            for listener in tuple(self.listeners):
                listener(before, after)


def key_of(item: Json) -> str:
    """``namespace/name``, or the name alone for an object without a namespace."""
    metadata = item["metadata"]
    name: str = metadata["name"]
    return f"{metadata['namespace']}/{name}" if "namespace" in metadata else name


def version_of(item: Json) -> str:
    """The object's resource version."""
    version: str = item["metadata"]["resourceVersion"]
    return version


def latest(before: Json | None, after: Json | None) -> Json:
    """The newer of the two objects of a change that exist."""
    item = after or before
    if item is None:
        raise AssertionError("an informer reported a change of no object; this is a bug in the simulator")
    return item
