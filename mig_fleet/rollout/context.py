"""The order for one wave: where it is, how its nodes may be changed, and until when."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from mig_fleet.cluster.client import Cluster, ClusterArgs, ClusterError
from mig_fleet.observed.snapshot import Look, forget, look
from mig_fleet.rollout.wave import TIMEOUT_S, WEDGED_S

T = TypeVar("T")

AT_ONCE = 16
"""Requests in flight: nodes of a wave are written side by side, without flooding the API server."""

POLL_S = 1.0


@dataclass
class Order:
    """What the steps of a change share. It lives as long as one call of a provider."""

    where: ClusterArgs
    namespace: str
    """Where MIG Manager runs."""
    reports: str
    wave: str
    started: float
    on_user_pods: str = "refuse"
    isolation: str = "taint"
    """``taint``, or ``cordon`` where an operator that is not ours would not tolerate our taint."""
    gpu: str = ""
    gpus_per_node: int = 0
    timeout_s: float = TIMEOUT_S
    wedged_s: float = WEDGED_S
    """How long `pending` may last before it counts as stuck, in seconds."""
    _told: str = ""

    @classmethod
    def of(cls, props: Mapping[str, Any]) -> "Order":
        """From a provider's properties, :class:`WaveArgs`; numbers come back from Pulumi as floats."""
        expected = props.get("expected") or {}
        return cls(
            where=props["cluster"],
            namespace=props["namespace"],
            reports=props.get("reports") or props["namespace"],
            wave=props["wave"],
            started=time.monotonic(),
            on_user_pods=props.get("on_user_pods") or "refuse",
            isolation=props.get("isolation") or "taint",
            gpu=expected.get("gpu") or "",
            gpus_per_node=len(expected.get("gpus") or ()),
            timeout_s=float(props["timeout_s"]),
            wedged_s=float(props.get("wedged_s") or WEDGED_S),
        )

    def cluster(self) -> Cluster:
        return Cluster(self.where)

    def look(self) -> Look:
        """The fleet as it is at this moment."""
        return look(self.where, self.reports, fresh=True)

    @property
    def late(self) -> bool:
        return time.monotonic() - self.started > self.timeout_s

    def say(self, text: str) -> None:
        """A line of progress whenever it reads differently; Pulumi shows it under the stack's row."""
        if text != self._told:
            print(f"{self.wave}: {text}", flush=True)
            self._told = text

    def each(self, nodes: Iterable[str], act: Callable[[Cluster, str], T]) -> tuple[dict[str, T], dict[str, str]]:
        """Act on all nodes side by side: what came of it, and the error of those where it failed."""
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

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, sorted(nodes)))
        forget()
        return done, failed
