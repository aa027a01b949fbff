"""When the nodes of a change pass each step, by one observer with one clock: a watch on all nodes."""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from benchmarks.request_count import Count, Load
from mig_fleet.model import labels
from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.informer import Informer

T = TypeVar("T")

LAST_EVENT_S = 5.0
"""For how long the events of a change that is done are waited for."""


class Step(StrEnum):
    """What happens to a node, in this order."""

    ISOLATED = "isolated by our taint"
    LABELLED = "its config label changed"
    SUCCEEDED = "MIG Manager's state is success"
    OFFERED = "NVIDIA's software wrote its last label or resource"
    RESTORED = "recorded as verified, and not isolated"


@dataclass(frozen=True)
class WaveTimes:
    """The nodes of one wave: for each node the time of each step, in seconds of the observer's clock."""

    nodes: tuple[Mapping[Step, float], ...]

    @property
    def isolation_s(self) -> float:
        """From the first node isolated to the first label written."""
        return self._first(Step.LABELLED) - self._first(Step.ISOLATED)

    @property
    def manager_s(self) -> float:
        """MIG Manager's own: from the first label written to the last ``success``."""
        return self._last(Step.SUCCEEDED) - self._first(Step.LABELLED)

    @property
    def node_manager_s(self) -> list[float]:
        """MIG Manager's own on each node: from its label to its ``success``."""
        return [times[Step.SUCCEEDED] - times[Step.LABELLED] for times in self.nodes]

    @property
    def operands_s(self) -> float:
        """From the last ``success`` until the device plugin, the kubelet and GPU Feature Discovery wrote what
        verification compares.
        """
        return self._last(Step.OFFERED) - self._last(Step.SUCCEEDED)

    @property
    def verification_s(self) -> list[float]:
        """For each node: from the last ``success`` of the wave until its scheduling was restored."""
        last = self._last(Step.SUCCEEDED)
        return [times[Step.RESTORED] - last for times in self.nodes]

    @property
    def node_verification_s(self) -> list[float]:
        """For each node: from its own ``success`` until its scheduling was restored."""
        return [times[Step.RESTORED] - times[Step.SUCCEEDED] for times in self.nodes]

    def _first(self, step: Step) -> float:
        return min(times[step] for times in self.nodes)

    def _last(self, step: Step) -> float:
        return max(times[step] for times in self.nodes)


class NodeObserver:
    """Records the steps of every node that is isolated and relabelled. An instance is a listener of an informer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps: dict[str, dict[Step, float]] = {}
        self._waves: dict[str, str] = {}

    def __call__(self, before: Json | None, after: Json | None) -> None:
        now, name = self._clock(), (after or before or {})["metadata"]["name"]
        if before is None or after is None:
            return
        if _is_isolated(after) and not _is_isolated(before):
            self._steps[name] = {Step.ISOLATED: now}
            self._waves.pop(name, None)
        if (steps := self._steps.get(name)) is None or Step.RESTORED in steps:
            return
        if _label(before, labels.CONFIG) != _label(after, labels.CONFIG):
            steps[Step.LABELLED] = now
        if Step.LABELLED in steps and "success" == _label(after, labels.STATE) != _label(before, labels.STATE):
            steps[Step.SUCCEEDED] = now
        if Step.SUCCEEDED in steps and _nvidia(before) != _nvidia(after):
            steps[Step.OFFERED] = now
        if Step.SUCCEEDED in steps and _is_verified(after) and not _is_isolated(after):
            steps[Step.RESTORED] = now
            self._waves[name] = after["metadata"]["annotations"][labels.WAVE]

    @property
    def unfinished(self) -> list[str]:
        """The nodes that did not pass every step."""
        return sorted(self._steps.keys() - self._waves.keys())

    @property
    def waves(self) -> list[WaveTimes]:
        waves = defaultdict(list)
        for name, wave in self._waves.items():
            waves[wave].append(self._steps[name])
        return [WaveTimes(tuple(nodes)) for nodes in waves.values()]


async def observe(directory: Path, change: Callable[[], T]) -> tuple[T, list[WaveTimes], Load]:
    """What ``change`` returns, which runs in a thread, the waves that it changed in the fleet of ``directory``, and the
    load of the fleet's API server.
    """
    observer = NodeObserver()
    async with Api(directory) as api:
        informer = Informer(api, "/api/v1/nodes")
        informer.listeners.append(observer)
        watching = asyncio.create_task(informer.run())
        await informer.synced.wait()
        before = await Count.read(api)
        done = await asyncio.to_thread(change)
        load = Load(before, await Count.read(api))
        deadline = time.monotonic() + LAST_EVENT_S
        while observer.unfinished and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        watching.cancel()
        await asyncio.wait((watching,))
    if observer.unfinished:
        sys.exit(f"the change is done, but these nodes did not pass every step: {', '.join(observer.unfinished)}")
    return done, observer.waves, load


def _label(node: Json, name: str) -> str | None:
    found: str | None = (node["metadata"].get("labels") or {}).get(name)
    return found


def _nvidia(node: Json) -> list[tuple[str, str]]:
    """The labels and resources of NVIDIA's software."""
    found = {**(node["metadata"].get("labels") or {}), **node["status"].get("allocatable", {})}
    return sorted((key, value) for key, value in found.items() if key.startswith("nvidia.com/"))


def _is_isolated(node: Json) -> bool:
    return any(taint["key"] in labels.OUR_TAINTS for taint in node["spec"].get("taints") or ())


def _is_verified(node: Json) -> bool:
    """Whether the node is recorded as verified with the config that it carries."""
    verified = (node["metadata"].get("annotations") or {}).get(labels.VERIFIED_CONFIG)
    return verified is not None and verified == _label(node, labels.CONFIG)
