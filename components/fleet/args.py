"""The arguments of a fleet: what a stack file holds, as plain data of a program.

Keys are in snake_case; those of a stack file, in camelCase, are accepted too. The sections are checked as a stack file
is, so the texts here say what a key means, and :mod:`mig_fleet.stack_file.settings` what it may be.
"""

from collections.abc import Mapping
from typing import Any, Literal, Required, TypedDict

import pulumi

from mig_fleet.components.layout_args import LayoutArgs


class ClusterSection(TypedDict, total=False):
    """Which cluster: a kubeconfig and a context, or the service account of the own pod."""

    kubeconfig: pulumi.Input[str]
    """The path of a kubeconfig; or its contents, an output of the cluster that the same program creates. Contents
    become a secret (default: ``$KUBECONFIG``, else ``~/.kube/config``, else as ``in_cluster``)."""
    context: pulumi.Input[str]
    """The context in the kubeconfig (default: its current one)."""
    in_cluster: bool
    """``True``: the service account of the pod in which Pulumi runs."""
    use_current_context: bool
    """``True``: kubectl's current context decides which cluster is changed."""
    on_unreachable: Literal["fail", "warn"]
    """Whether a preview fails (default) if the cluster does not answer, or continues without a drift check."""
    take_over: str
    """The owner whose cluster this stack takes over, ``<id> <organization>/<project>/<stack>``."""
    uid: str
    """The UID of the namespace ``kube-system``: any other cluster is refused."""


class OperatorSection(TypedDict, total=False):
    """NVIDIA's GPU Operator as a Helm chart."""

    managed: bool
    """``False`` if the operator is installed by other means (default: ``True``)."""
    namespace: str
    """Where the operator runs (default: ``gpu-operator``)."""
    chart: str
    """A chart's name in ``repository``, or the path of a vendored chart (default: ``gpu-operator``)."""
    version: str
    """The chart's version or a range of versions (default: the newest)."""
    repository: str | None
    """The address of the chart's repository (default: NVIDIA's); None for a vendored chart."""
    strategy: Literal["mixed", "single"]
    """The device plugin's MIG strategy (default: ``mixed``)."""
    allocation: Literal["devicePlugin", "dra"]
    """What allocates the slices: the device plugin (default), or NVIDIA's DRA driver, which you install."""
    dra_namespace: str
    """Under ``dra``: where the DRA driver runs (default: ``dra-driver-nvidia-gpu``)."""
    claim_templates: list[str]
    """Under ``dra``: namespaces that get a ResourceClaimTemplate for each profile (default: none)."""
    values: Mapping[str, Any]
    """Further values of the chart; single values may be outputs, secret ones included."""
    timeout: str
    """How long the release may take to become ready (default: ``10m``)."""


class ProbeSection(TypedDict, total=False):
    """The DaemonSet that reads NVML on the GPU nodes."""

    namespace: str
    """A namespace of its own (default: ``mig-fleet``)."""
    image: str
    """A stock Python image, 3.11 or newer, pinned by digest, as the default is."""
    runtime_class: str | None
    """The runtime class that mounts NVML (default: ``nvidia``)."""
    interval: str
    """The time between two readings (default: ``15s``)."""
    pod_resources: bool
    """Whether the probe asks the kubelet which pod has which slice (default: ``True``)."""


class RolloutSection(TypedDict, total=False):
    """How the nodes of a pool are changed."""

    canary: int
    """The number of nodes that change first, in a wave of their own (default: 0)."""
    max_unavailable: int | str
    """The most nodes that change at the same time: a number, or a share of the pool (default: ``25%``)."""
    max_waves_per_update: int
    """The rest of the waves waits for the next update (default: none waits)."""
    soak: str
    """How long a wave must stay as declared before the next one starts (default: ``0s``)."""
    on_user_pods: Literal["refuse", "wait", "evict"]
    """What happens to GPU pods on a node that must be repartitioned (default: ``refuse`` the change)."""
    on_stranded_pods: Literal["refuse", "warn"]
    """What happens if a pod would find no slice on any node where it may run (default: ``refuse`` the change)."""
    on_failure: Literal["halt", "rollback"]
    """A failed wave stays isolated (default), or returns to the layout that was verified last."""
    recovery: bool
    """Whether MIG Manager or the device plugin of a failed node may be restarted, once (default: ``True``)."""
    wedged_after: str
    """How long MIG Manager may report `pending` before it counts as stuck (default: ``30m``)."""
    timeout: str
    """The time for each step of a wave (default: ``1h``)."""
    on_delete: Literal["retain", "disable", "restore"]
    """What becomes of a node that leaves: it keeps its layout (default), MIG is disabled, or it gets the config from
    before mig-fleet's first write."""


class SelectorSection(TypedDict, total=False):
    """Nodes by their labels, read from the cluster at each preview and update."""

    match_labels: Required[Mapping[str, str]]
    """All labels that a node must have."""
    may_be_empty: bool
    """Whether no node may match at the moment, as in a pool that an autoscaler grows from zero (default: ``False``)."""


class PoolSection(TypedDict, total=False):
    """Nodes with one GPU model and one layout: either ``nodes`` or ``selector``."""

    gpu: Required[str]
    """The GPU model, such as ``H100-80GB``."""
    gpus_per_node: Required[int]
    """The number of GPUs of each node."""
    nodes: list[str]
    """Names of nodes, as `kubectl get nodes` prints them."""
    selector: SelectorSection
    """Labels of nodes."""
    layout: Required[str]
    """The name of a layout in ``layouts``."""
    config_name: Literal["generated", "keep"]
    """Whether a node whose slices are as declared may keep the config name that it has (default: ``generated``)."""
    rollout: RolloutSection
    """How the nodes are changed."""


class MonitoringSection(TypedDict, total=False):
    """Dashboards, recording rules and alerts, and the metrics that they read."""

    dashboards: Literal["sidecar", "grafanaOperator", "none"]
    """ConfigMaps for Grafana's sidecar (default), GrafanaDashboards, or nothing."""
    dashboard_labels: Mapping[str, str]
    """Labels by which the sidecar finds a ConfigMap (default: ``grafana_dashboard: "1"``)."""
    folder: str
    """Grafana's folder (default: Grafana's own)."""
    grafana_instances: Mapping[str, str]
    """Labels of the Grafana resources that get the dashboards; needed with ``grafanaOperator``."""
    rules: Literal["prometheusRule", "configMap", "none"]
    """Where recording rules and alerts are (default: ``configMap``)."""
    monitor_labels: Mapping[str, str]
    """Labels by which Prometheus selects the rules and the ServiceMonitor."""
    service_monitor: bool
    """Whether the GPU Operator creates the ServiceMonitor of dcgm-exporter (default: ``False``)."""
    scrape_interval: str
    """How often Prometheus reads dcgm-exporter (default: ``30s``)."""
    exporter_job: str
    """Regular expression of dcgm-exporter's label ``job``."""
    cost_basis: Literal["max", "compute", "memory"]
    """What a slice is charged for (default: ``max``)."""
    runbooks: str
    """The page that alerts link to."""
    alerts: Mapping[str, Any]
    """Alerts by name without ``MIG``: ``False`` turns one off, a mapping changes it."""


class FleetArgs(TypedDict, total=False):
    """Everything that a stack file holds. Only ``kubeconfig``, ``context`` and single values of ``operator.values`` may
    be outputs: nodes and layouts are proven when the program runs.
    """

    cluster: ClusterSection
    """Which cluster."""
    operator: OperatorSection
    """NVIDIA's GPU Operator (default: installed from NVIDIA's repository)."""
    probe: ProbeSection
    """What reads NVML on the nodes."""
    layouts: Required[Mapping[str, LayoutArgs]]
    """Layouts by name."""
    pools: Required[Mapping[str, PoolSection]]
    """Pools by name."""
    monitoring: MonitoringSection
    """What Prometheus and Grafana get."""
    prices: Mapping[str, float]
    """USD per GPU-hour by GPU model."""
