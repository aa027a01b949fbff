"""What kube-state-metrics is asked to export, in the three forms of its installation."""

from mig_fleet.model import labels
from mig_fleet.monitoring import kube_state_metrics


def test_the_flags_and_the_values_of_both_charts_ask_for_the_same() -> None:
    plain = kube_state_metrics.chart_values()
    (labels_allowed,), (annotations_allowed,) = plain["metricLabelsAllowlist"], plain["metricAnnotationsAllowList"]
    assert kube_state_metrics.flags() == (
        f"--metric-labels-allowlist={labels_allowed}",
        f"--metric-annotations-allowlist={annotations_allowed}",
    )
    assert kube_state_metrics.kube_prometheus_stack_values()["kube-state-metrics"].items() <= plain.items()


def test_the_config_that_was_verified_and_the_wave_of_a_node_are_exported() -> None:
    (allowed,) = kube_state_metrics.chart_values()["metricAnnotationsAllowList"]
    keys = allowed.removeprefix("nodes=[").removesuffix("]").split(",")
    assert {labels.VERIFIED_CONFIG, labels.WAVE} <= set(keys)


def test_the_plain_chart_keeps_the_pod_of_a_row() -> None:
    """Its default gives every row the pod of kube-state-metrics; kube-prometheus-stack changes that itself."""
    assert kube_state_metrics.chart_values()["prometheus"]["monitor"]["http"]["honorLabels"] is True
