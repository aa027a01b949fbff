"""The kinds of other projects that a stack needs, and whether the cluster serves them.

Pulumi's Kubernetes provider previews an object of an unknown kind without a request, and its update retries and then
fails (pulumi-kubernetes 4.25.0, provider.go gvkExists).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mig_fleet.cluster.client import Cluster
from mig_fleet.observed.rights.grant import Use

_PROMETHEUS: Final = "install the Helm chart prometheus-operator-crds or kube-prometheus-stack"


@dataclass(frozen=True, slots=True)
class ServedKind:
    """A kind that a CustomResourceDefinition adds to a cluster."""

    api_version: str
    kind: str
    install: str
    otherwise: str
    """What to set in the stack file to do without it."""

    @property
    def definition(self) -> str:
        """The name of the CustomResourceDefinition."""
        return f"{self.kind.lower()}s.{self.api_version.partition('/')[0]}"


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
}
"""What a stack does → the kind that it needs for that."""


def missing_kinds(cluster: Cluster, uses: Collection[str]) -> list[str]:
    """One sentence for each kind that the stack needs and the cluster does not serve, with the ways out; one request
    for each kind. Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    return [
        f"{use} needs the kind {needed.kind} of {needed.api_version}, which this cluster does not serve: "
        f"CustomResourceDefinition {needed.definition} is missing; {needed.install}, or {needed.otherwise}"
        for use, needed in KINDS.items()
        if use in uses and not cluster.serves(needed.api_version, needed.kind)
    ]
