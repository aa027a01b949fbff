"""The in-memory fleet, and one node that is as expected. Each test breaks one thing."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mig_fleet.cluster import client, retry
from mig_fleet.components.preview import warn_once
from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed import followed_fleet, probe_health, snapshot
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.snapshot import Node
from mig_fleet.rollout import (
    context,
    convergence,
    dra_plugin,
    drain,
    engine_run,
    propagation,
    reconfigure,
    recovery,
    silent_probes,
)
from tests.memory.api import MemoryCluster
from tests.memory.dra_fleet import DraFleet
from tests.memory.fleet import Fleet, a_gpu

CONFIG = "inference-dense-1c0ffee2"


@pytest.fixture(autouse=True)
def keep_tracebacks() -> Iterator[None]:
    """Our providers set ``sys.tracebacklimit`` for the rest of their process, and print some warnings once in it; here
    that is the process of the tests.
    """
    before = getattr(sys, "tracebacklimit", None)
    yield
    if before is None:
        if hasattr(sys, "tracebacklimit"):
            del sys.tracebacklimit
    else:
        sys.tracebacklimit = before
    snapshot.invalidate()
    warn_once.cache_clear()


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Nodes ``n1`` and ``n2`` with MIG off and all operands running; the product's client and clock are replaced."""
    fleet = Fleet("n1", "n2")
    for module in (client, context, followed_fleet, probe_health, snapshot):
        monkeypatch.setattr(module, "Cluster", lambda _args: MemoryCluster(fleet))
    timed = (context, convergence, drain, propagation, reconfigure, recovery, retry, silent_probes, snapshot)
    for module in (*timed, followed_fleet):
        monkeypatch.setattr(module, "time", fleet.clock)
    snapshot.invalidate()
    engine_run.begin()
    return fleet


@pytest.fixture
def dra(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> DraFleet:
    """The same two nodes, with the DRA driver in the place of the device plugin."""
    found = DraFleet("n1", "n2")
    for module in (client, context, followed_fleet, probe_health, snapshot):
        monkeypatch.setattr(module, "Cluster", lambda _args: MemoryCluster(found))
    timed = (context, convergence, dra_plugin, drain, propagation, reconfigure, recovery, retry, silent_probes)
    for module in (*timed, followed_fleet, snapshot):
        monkeypatch.setattr(module, "time", found.clock)
    snapshot.invalidate()
    engine_run.begin()
    return found


@pytest.fixture
def a_node() -> Callable[..., Node]:
    """A node with two GPUs of seven slices each, and labels, allocatable and report that match."""

    def make(state: str = "success", config: str = CONFIG, attempt: str = "1", **changes: Any) -> Node:
        report = Report(
            node="n1",
            driver_version="580.126.09",
            config=CONFIG,
            state="success",
            attempt="1",
            gpus=(a_gpu(0, {"1g.10gb": 7}), a_gpu(1, {"1g.10gb": 7})),
            errors=(),
        )
        facts: dict[str, Any] = {
            "name": "n1",
            "labels": {
                labels.CONFIG: config,
                labels.STATE: state,
                labels.CAPABLE: "true",
                "nvidia.com/mig-1g.10gb.count": "14",
            },
            "annotations": {labels.ATTEMPT: attempt},
            "allocatable": {"nvidia.com/mig-1g.10gb": 14},
            "report": report,
        }
        return Node(**{**facts, **changes})

    return make


@pytest.fixture
def expected() -> Expected:
    return Expected(
        config=CONFIG,
        gpu="H100-80GB",
        gpus=({"1g.10gb": 7}, {"1g.10gb": 7}),
        allocatable={"nvidia.com/mig-1g.10gb": 14},
        labels={"nvidia.com/mig-1g.10gb.count": "14"},
        strategy=Strategy.MIXED,
    )
