"""What is recorded of NVIDIA's charts agrees with the values that we set, our tables, and the simulator's chart."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import pairwise
from typing import Any

import yaml

from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.manager_versions import BOARD_FILTERS, LOWEST_CHART, SUFFIXES, Since, is_older
from mig_fleet.model.operator_charts import operator_charts
from mig_fleet.policies.chart_values import REMEDIES, ServiceMonitor, derived_values
from mig_fleet.policies.operand_values import NEEDED
from mig_fleet.simulator import CHARTS

RECORD = tomllib.loads(files("mig_fleet.model.operator_charts").joinpath("charts.toml").read_text("utf-8"))
VALUES: Mapping[str, Any] = RECORD["values"]
CHART = CHARTS / "gpu-operator"
ABSENT = object()
NOT_IMITATED = {
    "clusterPolicy.deployCR",
    "gpuCluster.deployCR",
    "node-feature-discovery.worker.config",
    "node-feature-discovery.master.config",
}
"""The simulator's chart always has a ClusterPolicy, and its Node Feature Discovery has the labels of the defaults."""


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value; a mapping that is recorded as a whole is one."""
    for key, value in values.items():
        path = f"{above}{key}"
        if isinstance(value, dict) and path not in VALUES:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key, ABSENT) if isinstance(values, Mapping) else ABSENT
    return values


def test_every_value_that_we_set_or_refuse_is_recorded_with_what_it_does() -> None:
    monitor = ServiceMonitor(30, {})
    ours = {path for by in AllocatedBy for path, _ in leaves(derived_values("mixed", "metrics", monitor, by))}
    missing = sorted({*ours, *REMEDIES, *NEEDED} - VALUES.keys())
    assert missing == [], "add it to mig_fleet/model/operator_charts/charts.toml"
    assert all(row["meaning"] for row in VALUES.values())


def test_a_value_that_we_set_has_the_type_of_the_charts_default() -> None:
    ours = dict(leaves(derived_values("mixed", "metrics", ServiceMonitor(30, {}), AllocatedBy.DRA)))
    both = {path: (value, VALUES[path]["default"]) for path, value in ours.items() if "default" in VALUES[path]}
    assert len(both) > 10
    assert [path for path, (value, default) in both.items() if type(value) is not type(default)] == []


def test_the_simulators_chart_has_the_recorded_defaults() -> None:
    """A key that only the templates of NVIDIA's chart read has a default of the simulator's own."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    known = {path: row["default"] for path, row in VALUES.items() if "default" in row and path not in NOT_IMITATED}
    assert {path: at(values, path) for path in known} == known


def test_the_simulators_chart_runs_the_recorded_hooks() -> None:
    template = (CHART / "templates" / "hooks.yaml").read_text()
    assert dict(re.findall(r'"name" "([a-z-]+)" "hook" "([a-z,-]+)"', template)) == RECORD["hooks"]


def test_the_charts_are_in_order_and_begin_with_the_lowest_that_is_supported() -> None:
    versions = [*operator_charts()]
    assert versions[0] == LOWEST_CHART
    assert all(is_older(older, newer) for older, newer in pairwise(versions))


def test_a_feature_of_mig_manager_comes_with_the_chart_that_the_record_has() -> None:
    def first_with(since: Since) -> str:
        return next(it for it, chart in operator_charts().items() if not is_older(chart.mig_manager, since.manager))

    assert [first_with(since) for since in (SUFFIXES, BOARD_FILTERS)] == [SUFFIXES.chart, BOARD_FILTERS.chart]
