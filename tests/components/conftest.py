"""A compliant node to start from; each test breaks one thing."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from components import look as look_module
from components.comparison import Expected
from components.look import Node
from mig import labels
from mig.report import ComputeInstance, Gpu, Instance, Report

CONFIG = "inference-dense-1c0ffee2"


@pytest.fixture(autouse=True)
def _tracebacks_stay() -> Iterator[None]:
    """Our providers shorten tracebacks for the rest of their process; this process is the tests'."""
    before = getattr(sys, "tracebacklimit", None)
    yield
    if before is None:
        if hasattr(sys, "tracebacklimit"):
            del sys.tracebacklimit
    else:
        sys.tracebacklimit = before
    look_module.forget()


def a_gpu(index: int, **changes: Any) -> Gpu:
    instances = tuple(Instance(n + 7, "1g.10gb", n, 1, (ComputeInstance(0, "1g.10gb", 1),)) for n in range(7))
    facts: dict[str, Any] = {
        "index": index,
        "uuid": f"GPU-{index}",
        "pci_id": "0x233010DE",
        "product": "NVIDIA H100 80GB HBM3",
        "memory_mib": 81559,
        "mig_mode_current": True,
        "mig_mode_pending": True,
        "instances": instances,
    }
    return Gpu(**{**facts, **changes})


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
            gpus=(a_gpu(0), a_gpu(1)),
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
