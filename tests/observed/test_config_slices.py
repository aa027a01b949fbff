"""The slices of a config by the live layout file: known only if one entry decides about each GPU."""

from typing import Any

import pytest
import yaml

from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.observed.configs.slices import known_slices
from mig_fleet.observed.snapshot import Node
from tests.memory.fleet import H100, a_gpu

DENSE = {"devices": "all", "mig-enabled": True, "mig-devices": {"1g.10gb": 7}}
OFF = {"devices": "all", "mig-enabled": False}


def a_node(**changes: Any) -> Node:
    report = Report("n1", "580", "old", "success", (a_gpu(0, {}), a_gpu(1, {})))
    return Node(**{"name": "n1", "labels": {}, "annotations": {}, "allocatable": {}, "report": report, **changes})


def slices(*entries: dict[str, Any], node: Node | None = None, config: str = "target") -> Any:
    file = yaml.safe_dump({"version": "v1", "mig-configs": {"target": list(entries)}})
    config_map = {"data": {labels.LAYOUTS_KEY: file}}
    return known_slices(config_map, {"n1": config}, {"n1": node or a_node()})["n1"]


def test_each_gpu_has_the_slices_of_the_entry_that_matches_it() -> None:
    assert slices({**DENSE, "devices": [0]}, {**OFF, "devices": [1]}) == [{"1g.10gb": 7}, None]
    assert slices({**DENSE, "device-filter": [H100]}) == [{"1g.10gb": 7}] * 2


@pytest.mark.parametrize(
    "entries",
    [
        [DENSE, {**OFF, "devices": [1]}],
        [DENSE, DENSE],
        [{**DENSE, "devices": [0]}],
        [{**DENSE, "device-filter": f"{H100}:0x16C110DE"}],
    ],
    ids=["overlap", "twice", "a GPU that no entry matches", "a filter for one board"],
)
def test_slices_are_not_known_where_the_file_does_not_decide_for_each_gpu(entries: list[dict[str, Any]]) -> None:
    assert slices(*entries) is None


def test_slices_are_not_known_without_the_config_the_report_or_the_file() -> None:
    assert slices(DENSE, config="other") is None
    assert slices(DENSE, node=a_node(report=None)) is None
    assert known_slices(None, {"n1": "target"}, {"n1": a_node()}) == {"n1": None}
    assert known_slices({"data": {labels.LAYOUTS_KEY: "["}}, {"n1": "target"}, {"n1": a_node()}) == {"n1": None}
