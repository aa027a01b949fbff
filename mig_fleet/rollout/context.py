"""What the steps of one change share: the wave, the deadline, the progress line, parallel requests."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from mig_fleet.cluster.client import Cluster, ClusterError
from mig_fleet.cluster.retry import retry_while_unreachable
from mig_fleet.failures import describe
from mig_fleet.observed.followed_fleet import FollowedFleet
from mig_fleet.observed.snapshot import Snapshot, invalidate, observe
from mig_fleet.rollout.engine_run import Interrupted, is_interrupted, record_change
from mig_fleet.rollout.wave import Wave

T = TypeVar("T")

PARALLEL_REQUESTS = 16
"""Nodes of a wave that are written at the same time; more could overload the API server."""

POLL_S = 1.0
"""Seconds between two reads of something that changes."""

RETRY_S = 120.0
"""Seconds for which a request is repeated while the API server fails: the replacement of a control plane takes a minute
or two."""


def _now() -> float:
    return time.monotonic()


@dataclass
class RolloutContext:
    """One instance per provider call or rollback."""

    wave: Wave
    started: float = field(default_factory=_now)
    _printed: str = ""

    def record_change(self) -> None:
        """The wave's nodes are about to be changed: what is half done on them from now on is this run's own work."""
        record_change(self.wave.wave)

    def cluster(self) -> Cluster:
        return Cluster(self.wave.cluster)

    def observe(self) -> Snapshot:
        """The fleet as it is now."""
        return observe(self.wave.cluster, self.wave.reports_namespace, fresh=True, dra=self.wave.is_dra)

    def follow(self) -> FollowedFleet:
        """The fleet for a wait that ends with :meth:`await_changes` each time."""
        return FollowedFleet(self.wave.cluster, self.wave.reports_namespace, dra=self.wave.is_dra)

    def await_changes(self, fleet: FollowedFleet) -> None:
        """Wait for :data:`POLL_S`, as :meth:`sleep`, while the API server sends what changes."""
        started = time.monotonic()
        self.stop_if_interrupted()
        fleet.take_changes(int(POLL_S))
        self.sleep(POLL_S - (time.monotonic() - started))

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def is_late(self) -> bool:
        """Whether the wave's timeout is over."""
        return self.elapsed_s > self.wave.timeout_seconds

    @property
    def is_interrupted(self) -> bool:
        """Whether the user has interrupted the update."""
        return is_interrupted()

    def stop_if_interrupted(self) -> None:
        """Raises :class:`Interrupted`, with what the update was waiting for."""
        if self.is_interrupted:
            doing = f"; at that moment: {self._printed}" if self._printed else ""
            raise Interrupted(f"interrupted after {self.elapsed_s:.0f} s{doing}")

    def sleep(self, seconds: float | None = None) -> None:
        """The only way to wait (default: :data:`POLL_S`); raises :class:`Interrupted` soon after the user interrupts
        the update.
        """
        left = POLL_S if seconds is None else seconds
        self.stop_if_interrupted()
        while left > 0:
            time.sleep(min(left, POLL_S))
            left -= POLL_S
            self.stop_if_interrupted()

    def retry(self, ask: Callable[[], T]) -> T:
        """What ``ask`` returns; while the API server fails, it is asked again for :data:`RETRY_S`. Raises the last
        :class:`~mig_fleet.cluster.errors.ClusterError`.
        """
        return self._retry(ask, RETRY_S)

    def retry_in_time(self, ask: Callable[[], T]) -> T:
        """The same, but not beyond the wave's timeout: while nothing has changed on the GPUs, it is safe to give up."""
        return self._retry(ask, min(RETRY_S, self.wave.timeout_seconds - self.elapsed_s))

    def _retry(self, ask: Callable[[], T], within_s: float) -> T:
        def report(error: ClusterError) -> None:
            self.progress(f"tries again: {error}")

        return retry_while_unreachable(ask, within_s, POLL_S, self.sleep, report)

    def progress(self, text: str) -> None:
        """Print what the update waits for when it differs from the last line; Pulumi shows it under the stack's row."""
        if text != self._printed:
            self.event(text)
            self._printed = text

    def finish_progress(self, text: str) -> None:
        """Print what is true at the end of a wait, if a line of :meth:`progress` is no longer true."""
        if self._printed:
            self.event(text)

    def event(self, text: str) -> None:
        """Print what has happened, a line that stays true."""
        print(f"{self.wave.wave}: {text}", flush=True)
        self._printed = ""

    def on_each(self, nodes: Iterable[str], act: Callable[[Cluster, str], T]) -> tuple[dict[str, T], dict[str, str]]:
        """Call ``act`` for all nodes in parallel; returns the results by node, and the errors of those that failed.

        Whatever is raised for one node, the others go on.
        """
        done: dict[str, T] = {}
        failed: dict[str, str] = {}
        try:
            cluster = self.cluster()
        except ClusterError as exc:
            return {}, dict.fromkeys(nodes, str(exc))

        def one(name: str) -> None:
            try:
                done[name] = act(cluster, name)
            except Interrupted:
                raise
            except Exception as exc:
                failed[name] = describe(exc)

        with ThreadPoolExecutor(PARALLEL_REQUESTS) as executor:
            list(executor.map(one, sorted(nodes)))
        invalidate()
        return done, failed
