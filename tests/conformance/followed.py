"""The labels of a node as they change: every version that the API server reports."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mig_fleet.model import labels
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.api import Api
from mig_fleet.simulator.operands.reconfiguration import OPERANDS

WATCHED: Final = (labels.CONFIG, labels.STATE, *(f"{labels.DEPLOY_PREFIX}{name}" for name in OPERANDS))

Step = tuple[str, ...]
"""The values of :data:`WATCHED`, without the beginnings of their keys; empty where a label is missing."""


@dataclass
class Followed:
    """The versions that were seen so far, without those in which no watched label changed."""

    steps: list[Step] = field(default_factory=list)

    def add(self, node: Mapping[str, Any]) -> None:
        found = node["metadata"].get("labels") or {}
        step = tuple(f"{key.rpartition('.')[2]}={found.get(key, '')}" for key in WATCHED)
        if not self.steps or self.steps[-1] != step:
            self.steps.append(step)


@contextlib.contextmanager
def following(fleet: Fleet, node: str) -> Iterator[Followed]:
    """Follow a node in a thread until the end of the block."""
    followed, started, stop = Followed(), threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_follow(fleet, node, followed, started, stop)))
    thread.start()
    try:
        assert started.wait(30), "the API server does not answer"
        yield followed
    finally:
        stop.set()
        thread.join()


async def _follow(fleet: Fleet, node: str, followed: Followed, started: threading.Event, stop: threading.Event) -> None:
    async with Api(fleet.directory) as api:
        current = await api.get(f"/api/v1/nodes/{node}")
        followed.add(current)
        started.set()
        watching = asyncio.create_task(_watch(api, node, current["metadata"]["resourceVersion"], followed))
        while not stop.is_set() and not watching.done():
            await asyncio.sleep(0.05)
    # The end of the block aborts the watch's connection. A watch that is cancelled before would close it in the
    # background, with an answer of the API server that a busy machine delays.
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def _watch(api: Api, node: str, version: str, followed: Followed) -> None:
    events = api.watch("/api/v1/nodes", version, {"fieldSelector": f"metadata.name={node}"})
    async with contextlib.aclosing(events):  # type: ignore[type-var]
        async for event in events:
            if event["type"] == "MODIFIED":
                followed.add(event["object"])
