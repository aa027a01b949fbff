"""The chart values of mig-fleet and the user's are merged; a contradiction is an error."""

from typing import Any

import pytest

from mig_fleet.policies.chart_values import (
    NODE_RELABELING,
    ContradictingValue,
    ServiceMonitor,
    contradictions,
    derived_values,
    merged,
)

DERIVED = derived_values("mixed", "metrics")
MONITORED = derived_values("mixed", "metrics", ServiceMonitor(30, {"release": "kps"}))


def test_the_users_values_are_merged_with_the_derived_ones() -> None:
    values = merged(DERIVED, {"driver": {"enabled": False}, "migManager": {"env": []}})
    assert values["mig"] == {"strategy": "mixed"}
    assert values["driver"] == {"enabled": False}
    assert values["migManager"]["env"] == []
    assert values["migManager"]["config"]["name"] == "mig-fleet-layouts"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"mig": {"strategy": "single"}},
            "mig.strategy: must be 'mixed'; remove the value, and set operator.strategy (found 'single')",
        ),
        (
            {"migManager": {"config": {"default": "all-1g.10gb"}}},
            "migManager.config.default: must be 'all-disabled'; remove the value (found 'all-1g.10gb')",
        ),
        (
            {"dcgmExporter": {"config": {"name": "mine"}}},
            "dcgmExporter.config.name: must be 'metrics'; remove the value; dcgm-exporter reads the list of metrics "
            "that mig-fleet writes (found 'mine')",
        ),
        (
            {"migManager": None},
            "migManager: must be a mapping, because mig-fleet adds its own values to it (found None)",
        ),
        (
            {"mig.strategy": "single"},
            "mig.strategy: has no effect as one key; write mig: {strategy: …} (found 'single')",
        ),
        (
            {"dcgmExporter.serviceMonitor.enabled": True},
            "dcgmExporter.serviceMonitor.enabled: has no effect as one key; write dcgmExporter: {serviceMonitor: "
            "{enabled: …}} (found True)",
        ),
        (
            {"daemonsets": {"tolerations": "all"}},
            "daemonsets.tolerations: must be a list of tolerations; mig-fleet adds the tolerations that it needs "
            "(found 'all')",
        ),
    ],
    ids=["strategy", "another default", "another list of metrics", "null", "a dot", "dots", "not a list"],
)
def test_a_value_that_contradicts_a_derived_one_is_refused_with_its_path(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ContradictingValue) as raised:
        merged(DERIVED, given)
    assert str(raised.value) == f"operator.values.{text}"


def test_all_contradictions_are_reported_together() -> None:
    with pytest.raises(ContradictingValue) as raised:
        merged(DERIVED, {"mig": {"strategy": "single"}, "migManager": {"enabled": False}})
    assert len(raised.value.contradictions) == 2


def test_an_equal_value_is_no_contradiction() -> None:
    assert merged(DERIVED, {"mig": {"strategy": "mixed"}}) == DERIVED


def test_operands_tolerate_the_taint_of_a_node_that_is_reconfigured() -> None:
    tolerations = DERIVED["daemonsets"]["tolerations"]
    assert {"key": "mig-fleet.dev/reconfiguring", "operator": "Exists", "effect": "NoSchedule"} in tolerations


def test_the_worker_that_labels_new_nodes_tolerates_our_taints_and_those_of_the_user() -> None:
    """Without these labels a node that joins with the startup taint never gets an operand."""
    theirs = {"key": "team", "operator": "Exists", "effect": "NoSchedule"}
    values = merged(DERIVED, {"node-feature-discovery": {"worker": {"tolerations": [theirs], "config": {}}}})
    worker = values["node-feature-discovery"]["worker"]
    assert [each["key"] for each in worker["tolerations"]] == [
        "team",
        "node-role.kubernetes.io/control-plane",
        "nvidia.com/gpu",
        "mig-fleet.dev/reconfiguring",
        "mig-fleet.dev/startup",
    ]
    assert worker["config"] == {}
    refused = contradictions(DERIVED, {"node-feature-discovery": {"worker": {"tolerations": {"key": "team"}}}})
    assert [str(each.path) for each in refused] == ["operator.values.node-feature-discovery.worker.tolerations"]


@pytest.mark.parametrize("copied", [0, 1, 3], ids=["the user's only", "with the chart's own", "with all of ours"])
def test_tolerations_of_the_user_are_kept_beside_ours(copied: int) -> None:
    ours = DERIVED["daemonsets"]["tolerations"]
    theirs = {"key": "team", "operator": "Equal", "value": "research", "effect": "NoSchedule"}
    found = merged(DERIVED, {"daemonsets": {"tolerations": [theirs, *ours[:copied]]}})["daemonsets"]["tolerations"]
    assert found == [theirs, *ours], "the user's, and each of ours once"


# Operands that mig-fleet needs


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"devicePlugin": {"enabled": False}},
            "devicePlugin.enabled: must be true; remove the value: only the operator's device plugin offers the slices",
        ),
        ({"gfd": {"enabled": False}}, "gfd.enabled: must be true; remove the value: without GPU Feature Discovery"),
        ({"clusterPolicy": {"deployCR": False}}, "clusterPolicy.deployCR: must be true; remove the value: without a"),
        ({"gpuCluster": {"deployCR": True}}, "gpuCluster.deployCR: must be false; remove the value: the operands of"),
    ],
    ids=["no device plugin", "no feature discovery", "no ClusterPolicy", "a GPUCluster"],
)
def test_a_value_that_removes_an_operand_is_refused_with_what_follows(given: dict[str, Any], text: str) -> None:
    (found,) = contradictions(DERIVED, given)
    assert str(found).startswith(f"operator.values.{text}")


def test_operands_that_are_on_anyway_may_be_declared() -> None:
    given = {"devicePlugin": {"enabled": True}, "gfd": {"enabled": True}, "gpuCluster": {"deployCR": False}}
    assert contradictions(DERIVED, given) == ()


def plugin_configs(**texts: object) -> dict[str, Any]:
    return {"devicePlugin": {"config": {"create": True, "name": "plugin", "default": "a", "data": texts}}}


@pytest.mark.parametrize("written", ["version: v1\nflags: {migStrategy: none}\n", {"flags": {"migStrategy": "none"}}])
def test_a_strategy_per_node_is_refused_because_the_clusters_wins(written: object) -> None:
    (found,) = contradictions(DERIVED, plugin_configs(a=written))
    assert str(found) == (
        "operator.values.devicePlugin.config.data.a: flags.migStrategy has no effect: mig.strategy is mixed, and it "
        "wins on every node; remove flags.migStrategy, or write mixed (found 'none')"
    )


@pytest.mark.parametrize("written", ["version: v1\n", "flags: {migStrategy: mixed}", "flags: [", "flags: 1", None])
def test_a_plugin_config_without_another_strategy_is_no_contradiction(written: object) -> None:
    assert contradictions(DERIVED, plugin_configs(a=written)) == ()


# The scrape of dcgm-exporter


def scrape(values: dict[str, Any]) -> dict[str, Any]:
    return {"dcgmExporter": {"serviceMonitor": values}}


def test_a_declared_service_monitor_has_its_interval_the_labels_of_prometheus_and_the_node_of_each_row() -> None:
    assert MONITORED["dcgmExporter"]["serviceMonitor"] == {
        "enabled": True,
        "interval": "30s",
        "honorLabels": False,
        "additionalLabels": {"release": "kps"},
        "relabelings": [NODE_RELABELING],
    }


def test_without_a_declared_service_monitor_the_user_decides_whether_there_is_one() -> None:
    found = merged(DERIVED, scrape({"enabled": True, "interval": "15s", "additionalLabels": {"team": "ml"}}))
    assert found["dcgmExporter"]["serviceMonitor"] == {
        "enabled": True,
        "interval": "15s",
        "honorLabels": False,
        "additionalLabels": {"team": "ml"},
        "relabelings": [NODE_RELABELING],
    }


def test_labels_and_relabelings_of_the_user_are_kept_beside_ours() -> None:
    rack = {"sourceLabels": ["__meta_kubernetes_node_label_rack"], "targetLabel": "rack"}
    found = merged(MONITORED, scrape({"additionalLabels": {"team": "ml"}, "relabelings": [rack]}))
    assert found["dcgmExporter"]["serviceMonitor"]["additionalLabels"] == {"release": "kps", "team": "ml"}
    assert found["dcgmExporter"]["serviceMonitor"]["relabelings"] == [rack, NODE_RELABELING]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            scrape({"honorLabels": True}),
            "serviceMonitor.honorLabels: must be false; remove the value; with true, a slice without a pod gets the "
            "exporter's own pod, so that no slice is free (found True)",
        ),
        (
            scrape({"enabled": False}),
            "serviceMonitor.enabled: must be true; remove the value, or set monitoring.serviceMonitor to false "
            "(found False)",
        ),
        (
            {"dcgmExporter": {"enabled": False}},
            "enabled: must be true; remove the value, or set monitoring.serviceMonitor to false (found False)",
        ),
        (
            scrape({"interval": "5s"}),
            "serviceMonitor.interval: must be '30s'; remove the value, and set monitoring.scrapeInterval (found '5s')",
        ),
        (
            scrape({"additionalLabels": {"release": "other"}}),
            "serviceMonitor.additionalLabels.release: must be 'kps'; remove the value (found 'other')",
        ),
        (
            scrape({"relabelings": [{"source_labels": ["a"], "targetLabel": "rack"}]}),
            "serviceMonitor.relabelings[0].source_labels: must be sourceLabels; the API server drops the key as it is "
            "written (found ['a'])",
        ),
        (
            scrape({"relabelings": [{"replacement": "gpus", "targetLabel": "job"}]}),
            "serviceMonitor.relabelings[0].targetLabel: must be another label; the rules find the exporter by its job, "
            "and a slice by its node (found 'job')",
        ),
        (
            scrape({"relabelings": "all"}),
            "serviceMonitor.relabelings: must be a list of relabelings; mig-fleet adds the relabelings that it needs "
            "(found 'all')",
        ),
        (
            {"dcgmExporter": {"env": [{"name": "DCGM_EXPORTER_COLLECTORS", "value": "/mine.csv"}]}},
            "env[0].name: cannot be set; remove the value; dcgm-exporter reads the list of metrics that mig-fleet "
            "writes (found 'DCGM_EXPORTER_COLLECTORS')",
        ),
    ],
    ids=[
        "honorLabels",
        "no ServiceMonitor",
        "no exporter",
        "another interval",
        "another label",
        "a key that is dropped",
        "another job",
        "no list",
        "a second list of metrics",
    ],
)
def test_a_scrape_that_the_rules_cannot_read_is_refused_with_the_reason(given: dict[str, Any], text: str) -> None:
    assert [str(each) for each in contradictions(MONITORED, given)] == [f"operator.values.dcgmExporter.{text}"]
