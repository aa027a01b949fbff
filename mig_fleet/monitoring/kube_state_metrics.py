"""What kube-state-metrics must export of the nodes; by default it exports no label and no annotation (its
``docs/metrics/cluster/node-metrics.md``).

A key that it exports becomes a label of ``kube_node_labels`` or ``kube_node_annotations``, as :func:`spelled` here:
``label_nvidia_com_mig_config``.
"""

import re
from typing import Any, Final

from mig_fleet.model import labels

LABELS: Final = (labels.CONFIG, labels.STATE, labels.STRATEGY, labels.PRODUCT, labels.MODEL)
ANNOTATIONS: Final = (labels.VERIFIED_CONFIG, labels.WAVE, labels.CORDONED)

_LABELS_ALLOWED: Final = f"nodes=[{','.join(LABELS)}]"
_ANNOTATIONS_ALLOWED: Final = f"nodes=[{','.join(ANNOTATIONS)}]"


def spelled(name: str) -> str:
    """The name of a label, an annotation or a resource: an underscore for each character that is not a letter, a digit
    or an underscore (kube-state-metrics ``internal/store/utils.go``).

    >>> spelled("nvidia.com/mig-1g.10gb")
    'nvidia_com_mig_1g_10gb'
    """
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def flags() -> tuple[str, ...]:
    """Of the program, for an installation without Helm."""
    return f"--metric-labels-allowlist={_LABELS_ALLOWED}", f"--metric-annotations-allowlist={_ANNOTATIONS_ALLOWED}"


def chart_values() -> dict[str, Any]:
    """Of the chart kube-state-metrics (prometheus-community/helm-charts, kube-state-metrics 8.4.0).

    Without ``honorLabels`` a ServiceMonitor gives each row the namespace and pod of kube-state-metrics itself, and the
    rules would find no pod.
    """
    return {**_allowed(), "prometheus": {"monitor": {"http": {"honorLabels": True}}}}


def kube_prometheus_stack_values() -> dict[str, Any]:
    """Of the chart kube-prometheus-stack (88.5.3), which sets ``honorLabels`` itself."""
    return {"kube-state-metrics": _allowed()}


def _allowed() -> dict[str, Any]:
    return {"metricLabelsAllowlist": [_LABELS_ALLOWED], "metricAnnotationsAllowList": [_ANNOTATIONS_ALLOWED]}
