"""A compliant node to start from; each test breaks one thing."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.observed import snapshot as look_module
from mig_fleet.observed.differences import Expected
from mig_fleet.observed.snapshot import Node
from mig_fleet.rollout import assign as handover
from mig_fleet.rollout import context as order
from mig_fleet.rollout import convergence as gate
from mig_fleet.rollout import drain, recovery
from mig_fleet.rollout import propagation as barrier
from mig_fleet.rollout import reconfigure as change
from tests.memory.api import MemoryCluster
from tests.memory.fleet import Fleet, a_gpu

CONFIG = "inference-dense-1c0ffee2"


@pytest.fixture(autouse=True)
def tracebacks_stay() -> Iterator[None]:
    """Our providers shorten tracebacks for the rest of their process; this process is the tests'."""
    before = getattr(sys, "tracebacklimit", None)
    yield
    if before is None:
        if hasattr(sys, "tracebacklimit"):
            del sys.tracebacklimit
    else:
        sys.tracebacklimit = before
    look_module.forget()


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Two nodes that are as they should be before anything was asked of them."""
    fleet = Fleet("n1", "n2")
    for module in (order, look_module):
        monkeypatch.setattr(module, "Cluster", lambda _args: MemoryCluster(fleet))
    for module in (barrier, change, drain, gate, handover, look_module, order, recovery):
        monkeypatch.setattr(module, "time", fleet.clock)
    look_module.forget()
    return fleet


@pytest.fixture
def a_node() -> Callable[..., Node]:
    """Two GPUs cut in seven, verified to the last label."""

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
    return {
        "config": CONFIG,
        "gpu": "H100-80GB",
        "gpus": [{"1g.10gb": 7}, {"1g.10gb": 7}],
        "allocatable": {"nvidia.com/mig-1g.10gb": 14},
        "labels": {"nvidia.com/mig-1g.10gb.count": "14"},
        "strategy": "mixed",
    }
