"""The kinds of other projects that a stack needs, and whether the cluster serves them.

Pulumi's Kubernetes provider previews an object of an unknown kind without a request, and its update retries and then
fails (pulumi-kubernetes 4.25.0, provider.go gvkExists).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mig_fleet.cluster.client import Cluster
from mig_fleet.model.allocated_by import RESOURCE_API
from mig_fleet.observed.rights.grant import Use

_PROMETHEUS: Final = "install the Helm chart prometheus-operator-crds or kube-prometheus-stack"


@dataclass(frozen=True, slots=True)
class ServedKind:
    """A kind that not every cluster has."""

    api_version: str
    kind: str
    install: str
    otherwise: str
    """What to set in the stack file to do without it."""
    is_builtin: bool = False
    """Whether Kubernetes itself serves it, and no CustomResourceDefinition adds it."""

    @property
    def missing(self) -> str:
        """What is missing, as a part of a sentence."""
        if self.is_builtin:
            return f"the API {self.api_version} is missing"
        return f"CustomResourceDefinition {self.kind.lower()}s.{self.api_version.partition('/')[0]} is missing"


KINDS: Final = {
    Use.ALERT_RULES: ServedKind(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        _PROMETHEUS,
        "write the rules to a ConfigMap: `pulumi config set --path mig-fleet:monitoring.rules configMap`",
    ),
    Use.DASHBOARDS: ServedKind(
        "grafana.integreatly.org/v1beta1",
        "GrafanaDashboard",
        "install the Grafana Operator",
        "set `dashboards: sidecar` or `dashboards: none` in mig-fleet:monitoring, without grafanaInstances",
    ),
    Use.SERVICE_MONITOR: ServedKind(
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        _PROMETHEUS,
        "let Prometheus find dcgm-exporter by other means: `pulumi config set --path "
        "mig-fleet:monitoring.serviceMonitor false`",
    ),
    Use.DRA: ServedKind(
        RESOURCE_API,
        "DeviceClass",
        "upgrade the cluster to Kubernetes 1.34 or newer",
        "let the device plugin offer the slices: `pulumi config set --path mig-fleet:operator.allocation devicePlugin`",
        is_builtin=True,
    ),
}
"""What a stack does → the kind that it needs for that."""


def missing_kinds(cluster: Cluster, uses: Collection[str]) -> list[str]:
    """One sentence for each kind that the stack needs and the cluster does not serve, with the ways out; one request
    for each kind. Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    return [
        f"{use} needs the kind {needed.kind} of {needed.api_version}, which this cluster does not serve: "
        f"{needed.missing}; {needed.install}, or {needed.otherwise}"
        for use, needed in KINDS.items()
        if use in uses and not cluster.serves(needed.api_version, needed.kind)
    ]
