"""What NVML shows of a node, as text: never more than its report proves."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.model.report import STALE_AFTER_S
from mig_fleet.observed.gpus.reported_slices import format_reported
from mig_fleet.observed.snapshot import Node

DECLARED = ({"1g.10gb": 7}, {"1g.10gb": 7})
OTHER = ({"3g.40gb": 2}, None)
SLICES = "GPU 0-1: 7x 1g.10gb"
FAILED: dict[str, Any] = {"state": "failed"}
"""MIG Manager failed, and the probe has seen that."""


@pytest.mark.parametrize(
    ("declared", "changes", "text"),
    [
        (DECLARED, {}, f"NVML shows {SLICES}"),
        (None, {}, f"NVML shows {SLICES}"),
        (OTHER, {}, f"NVML shows {SLICES}"),
        (OTHER, FAILED, f"NVML still shows {SLICES}"),
        (DECLARED, FAILED, f"NVML shows {SLICES}"),
        (OTHER, {"annotations": {labels.ATTEMPT: "2"}}, f"NVML last showed {SLICES}"),
        (OTHER, {"report_age_s": STALE_AFTER_S + 1}, f"NVML last showed {SLICES}"),
        (OTHER, {"report": None}, "its probe has not reported what NVML shows"),
    ],
)
def test_it_says_how_old_the_slices_are_and_whether_they_are_the_declared_ones(
    a_node: Callable[..., Node], declared: Any, changes: dict[str, Any], text: str
) -> None:
    state = changes.get("state", "success")
    node = a_node(state=state)
    assert node.report is not None
    seen = replace(node, report=replace(node.report, state=state))
    others = {key: value for key, value in changes.items() if key != "state"}
    assert format_reported(replace(seen, **others), declared) == text


def test_errors_of_nvml_are_shown_instead_of_slices(a_node: Callable[..., Node]) -> None:
    node = a_node()
    assert node.report is not None
    lost = replace(node, report=replace(node.report, errors=("GPU 1: nvmlDeviceGetMigMode: GPU is lost",)))
    assert format_reported(lost, DECLARED) == "NVML reports: GPU 1: nvmlDeviceGetMigMode: GPU is lost"
