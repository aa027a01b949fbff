"""How a Prometheus without the Prometheus Operator reads dcgm-exporter."""

from typing import Any, Final

JOB: Final = "nvidia-dcgm-exporter"
"""The value of the label ``app`` of the exporter's Service, which its ServiceMonitor makes the job (gpu-operator
v26.7.0, ``assets/state-dcgm-exporter``)."""

_TARGET_LABELS: Final = {
    "namespace": "__meta_kubernetes_namespace",
    "pod": "__meta_kubernetes_pod_name",
    "container": "__meta_kubernetes_pod_container_name",
    "node": "__meta_kubernetes_pod_node_name",
}
"""Those of a ServiceMonitor, and the node. Because a target has a pod, the pod of a slice becomes ``exported_pod``."""


def scrape_config(namespace: str, interval: int) -> dict[str, Any]:
    """An entry of ``scrape_configs``: the exporter of every node, each ``interval`` seconds."""
    return {
        "job_name": JOB,
        "scrape_interval": f"{interval}s",
        "honor_labels": False,
        "kubernetes_sd_configs": [{"role": "endpointslice", "namespaces": {"names": [namespace]}}],
        "relabel_configs": [
            {"source_labels": ["__meta_kubernetes_service_label_app"], "regex": JOB, "action": "keep"},
            *({"source_labels": [source], "target_label": label} for label, source in _TARGET_LABELS.items()),
        ],
    }
