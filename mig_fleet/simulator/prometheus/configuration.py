"""The configuration of the fleet's Prometheus, which both 2.42 and 3.14 read."""

from typing import Any, Final

from mig_fleet.simulator.prometheus.settings import Settings
from mig_fleet.simulator.telemetry_server import EXPORTER_APP, KUBE_STATE_METRICS, TARGETS

EXPORTER_JOB: Final = EXPORTER_APP
"""The job of the operator's ServiceMonitor: ``jobLabel: app``."""
KUBE_STATE_JOB: Final = "kube-state-metrics"

OF_POD: Final = {
    "node": "__meta_kubernetes_pod_node_name",
    "namespace": "__meta_kubernetes_namespace",
    "pod": "__meta_kubernetes_pod_name",
    "container": "__meta_kubernetes_pod_container_name",
    "instance": "__meta_kubernetes_pod_ip",
}
"""The labels of a scraped pod, as Prometheus Operator writes them for a ServiceMonitor; ``node`` needs a relabeling
there.
"""


def configuration(settings: Settings, telemetry: str) -> dict[str, Any]:
    """The file's content; ``telemetry`` is the URL of the exporters."""
    interval = f"{settings.interval_s}s"
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": ["rules/*.yaml"],
        "scrape_configs": [
            {
                "job_name": EXPORTER_JOB,
                "honor_labels": False,
                "http_sd_configs": [{"url": f"{telemetry}{TARGETS}", "refresh_interval": interval}],
                "relabel_configs": [
                    {"source_labels": [source], "target_label": label} for label, source in OF_POD.items()
                ],
            },
            {
                "job_name": KUBE_STATE_JOB,
                "honor_labels": True,
                "metrics_path": KUBE_STATE_METRICS,
                "params": {"labels": [settings.label_allowlist], "annotations": [settings.annotation_allowlist]},
                "static_configs": [{"targets": [telemetry.removeprefix("http://")]}],
            },
        ],
    }
