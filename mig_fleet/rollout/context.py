"""What the steps of one change share: the wave, the deadline, the progress line, parallel requests."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from mig_fleet.cluster.client import Cluster, ClusterError
from mig_fleet.observed.snapshot import Snapshot, invalidate, observe
from mig_fleet.rollout.wave import Wave

T = TypeVar("T")

PARALLEL_REQUESTS = 16
"""Nodes of a wave that are written at the same time; more could overload the API server."""

POLL_S = 1.0
"""Seconds between two reads of something that changes."""


def _now() -> float:
    return time.monotonic()


@dataclass
class RolloutContext:
    """One instance per provider call or rollback."""

    wave: Wave
    started: float = field(default_factory=_now)
    _printed: str = ""

    def cluster(self) -> Cluster:
        return Cluster(self.wave.cluster)

    def observe(self) -> Snapshot:
        """The fleet as it is now."""
        return observe(self.wave.cluster, self.wave.reports_namespace, fresh=True)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def is_late(self) -> bool:
        """Whether the wave's timeout is over."""
        return self.elapsed_s > self.wave.timeout_seconds

    def progress(self, text: str) -> None:
        """Print a line when it differs from the last one; Pulumi shows it under the stack's row."""
        if text != self._printed:
            print(f"{self.wave.wave}: {text}", flush=True)
            self._printed = text

    def on_each(self, nodes: Iterable[str], act: Callable[[Cluster, str], T]) -> tuple[dict[str, T], dict[str, str]]:
        """Call ``act`` for all nodes in parallel; returns the results by node, and the errors of those that failed."""
        done: dict[str, T] = {}
        failed: dict[str, str] = {}
        try:
            cluster = self.cluster()
        except ClusterError as exc:
            return {}, dict.fromkeys(nodes, str(exc))

        def one(name: str) -> None:
            try:
                done[name] = act(cluster, name)
            except ClusterError as exc:
                failed[name] = str(exc)

        with ThreadPoolExecutor(PARALLEL_REQUESTS) as executor:
            list(executor.map(one, sorted(nodes)))
        invalidate()
        return done, failed
