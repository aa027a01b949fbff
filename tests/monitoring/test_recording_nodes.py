"""Nodes: their pool, the config that they should have, their state, and what isolates them."""

import pytest

from mig_fleet.monitoring import series
from mig_fleet.monitoring.recording import recording_groups
from tests.monitoring.fleets import a_fleet, a_pool
from tests.monitoring.promtool import Case, Promtool, Rows
from tests.monitoring.series_samples import a_node, allocatable, ksm

pytestmark = pytest.mark.engine

GROUPS = recording_groups(a_fleet(a_pool(), a_pool("inference-wave-0")))


def test_a_node_belongs_to_the_pool_of_its_wave_and_has_the_config_that_was_verified_last(promtool: Promtool) -> None:
    samples = [
        *a_node("n1", "inference", "inference-1", config="inference-2", state="pending"),
        *a_node("n2", "inference", "inference-1", wave="wave-010"),
        *a_node("n3", "inference-wave-0", "other-1", wave="wave-0"),
        *a_node("n4", "inference", ""),
        *a_node("n5", "of-another-stack", "x"),
        *a_node("n6", "", "inference-1"),
    ]
    rows = {
        series.NODE: [
            ({"node": "n1", "pool": "inference", "config": "inference-1"}, 1.0),
            ({"node": "n2", "pool": "inference", "config": "inference-1"}, 1.0),
            ({"node": "n3", "pool": "inference-wave-0", "config": "other-1"}, 1.0),
            ({"node": "n4", "pool": "inference"}, 1.0),
        ]
    }
    promtool.verify(GROUPS, Case("nodes", samples, rows=rows))


def test_the_state_is_that_of_mig_manager_and_the_config_that_of_the_label(promtool: Promtool) -> None:
    samples = [
        *a_node("n1", config="inference-2", state="pending"),
        *a_node("n2", state=""),
        *a_node("n3", "", "", config="all-disabled"),
        *a_node("n4", "", "", config=""),
    ]
    rows = {
        series.STATE: [
            ({"node": "n1", "config": "inference-2", "state": "pending"}, 1.0),
            ({"node": "n2", "config": "inference-1"}, 1.0),
            ({"node": "n3", "config": "all-disabled", "state": "success"}, 1.0),
        ]
    }
    promtool.verify(GROUPS, Case("states", samples, rows=rows))


def test_a_node_that_changes_or_is_isolated_has_the_reason(promtool: Promtool) -> None:
    startup = ksm("kube_node_spec_taint", 1, node="n4", key="mig-fleet.dev/startup", effect="NoSchedule")
    other_taint = ksm("kube_node_spec_taint", 1, node="n5", key="node.kubernetes.io/unreachable", effect="NoExecute")
    samples = [
        *a_node("n1", state="pending", tainted=True),
        *a_node("n2", state="rebooting"),
        *a_node("n3", cordoned=True),
        *a_node("n4"),
        startup,
        *a_node("n5", state="failed"),
        other_taint,
        ksm("kube_node_spec_unschedulable", 1, node="n3"),
        ksm("kube_node_spec_unschedulable", 1, node="n5"),
    ]
    rows = {
        series.ISOLATED: [
            ({"node": "n1", "reason": "reconfiguring"}, 1.0),
            ({"node": "n3", "reason": "cordon"}, 1.0),
            ({"node": "n4", "reason": "startup"}, 1.0),
        ],
        series.CHANGING: [
            ({"node": "n1", "reason": "pending"}, 1.0),
            ({"node": "n2", "reason": "pending"}, 1.0),
            ({"node": "n1", "reason": "isolated"}, 1.0),
            ({"node": "n3", "reason": "isolated"}, 1.0),
            ({"node": "n4", "reason": "isolated"}, 1.0),
        ],
    }
    promtool.verify(GROUPS, Case("isolation", samples, rows=rows))


def test_a_node_that_its_administrator_cordoned_is_not_ours(promtool: Promtool) -> None:
    left = [*a_node("n1", cordoned=True), ksm("kube_node_spec_unschedulable", 0, node="n1")]
    theirs = [*a_node("n2"), ksm("kube_node_spec_unschedulable", 1, node="n2")]
    promtool.verify(GROUPS, Case("cordons", [*left, *theirs], rows={series.ISOLATED: []}))


def test_replicas_of_kube_state_metrics_that_disagree_break_no_join(promtool: Promtool) -> None:
    """Two rows of one node would end every rule that joins with them in an error."""
    samples = [
        *a_node("n1", "inference", "inference-1"),
        *a_node("n1", "inference", "inference-2", state="pending", replica="ksm-1"),
        *allocatable("n1", "nvidia_com_mig_1g_10gb", 7),
        *allocatable("n1", "nvidia_com_mig_1g_10gb", 7, "ksm-1"),
    ]
    rows: dict[str, Rows] = {
        f"count({series.NODE})": [({}, 1.0)],
        f"count({series.STATE})": [({}, 1.0)],
        series.ALLOCATABLE: [({"node": "n1", "resource": "nvidia_com_mig_1g_10gb"}, 7.0)],
    }
    promtool.verify(GROUPS, Case("two replicas", samples, rows=rows))
