"""NVIDIA's GPU Operator as one Helm release with the values that mig-fleet needs."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NotRequired, TypedDict

import pulumi

from mig_fleet.components.checked_args import check_args
from mig_fleet.components.gpu_operator.release import Release
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.namespaces import OPERATOR_NAMESPACE
from mig_fleet.policies.chart_values import ServiceMonitor, Values, derived_values, merged
from mig_fleet.stack_file.settings import Operator

CHART = Operator()
"""Of a program that names no chart."""

SECRET_OUTPUTS = ("chart", "version", "repositoryOpts", "values", "status", "manifest")
"""Outputs of a release that repeat its chart, version, repository or values."""

MONITOR_FIELDS = ("enabled", "honorLabels")
"""Fields of the ServiceMonitor's declaration without which slices have wrong metrics, or none."""


class ServiceMonitorArgs(TypedDict):
    """How Prometheus scrapes dcgm-exporter."""

    interval_seconds: int
    """From 10 to 120."""
    labels: Mapping[str, str]
    """Labels by which Prometheus selects it, such as ``release: kube-prometheus-stack``."""


class GpuOperatorArgs(TypedDict):
    """The chart, and the values that depend on the stack."""

    namespace: NotRequired[pulumi.Input[str]]
    """Where the operator runs; it must exist (default: ``gpu-operator``)."""
    chart: NotRequired[str]
    """A chart's name in ``repository``, or the path of a vendored chart (default: NVIDIA's). A path keeps previews off
    the network."""
    version: NotRequired[str | None]
    """The chart's version, such as ``v26.7.0`` (default: the newest)."""
    repository: NotRequired[str | None]
    """The address of the chart's repository (default: NVIDIA's, if ``chart`` is not given, either)."""
    strategy: NotRequired[str]
    """``single`` or ``mixed`` (default)."""
    allocation: NotRequired[Literal["devicePlugin", "dra"]]
    """What allocates the slices: the operator's device plugin (default), or NVIDIA's DRA driver (``dra``), which you
    install."""
    metrics: pulumi.Input[str]
    """The name of the ConfigMap with dcgm-exporter's metrics list: the output ``metrics`` of
    :class:`~mig_fleet.components.monitoring.Monitoring`."""
    monitor: NotRequired[ServiceMonitorArgs | None]
    """The ServiceMonitor that the operator creates for dcgm-exporter (default: as your own values and the chart's)."""
    values: NotRequired[Mapping[str, Any]]
    """The user's own chart values, merged with ours and never silently overridden. Raises
    :class:`~mig_fleet.policies.chart_values.ContradictingValue`."""
    secret: NotRequired[bool]
    """Whether one of chart, version, repository and values is secret; then the state encrypts all of them. The
    namespace is part of many objects and of the stack's outputs, so it cannot be a secret."""
    timeout_seconds: NotRequired[int]
    """How long the release may take to become ready (default: 600)."""


class GpuOperator(pulumi.ComponentResource):
    """The operator's release; its values name our layout file, and let its pods tolerate our taints."""

    release: Release
    chart_objects: list[pulumi.Input[str]]
    """Manifests of objects of the chart, as JSON, with only the fields that our values determine."""

    def __init__(self, name: str, args: GpuOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_args(f"GpuOperator '{name}'", args, GpuOperatorArgs)
        super().__init__("mig-fleet:index:GpuOperator", name, {}, opts)
        namespace, version = args.get("namespace", OPERATOR_NAMESPACE), args.get("version")
        repository = args.get("repository") if "chart" in args else args.get("repository", CHART.repository)
        protect: Callable[[Any], Any] = pulumi.Output.secret if args.get("secret") else lambda value: value
        strategy, allocation = args.get("strategy", str(CHART.strategy)), args.get("allocation", CHART.allocation)
        derived = derived_values(strategy, args["metrics"], _monitor(args), AllocatedBy(allocation))
        self.release = Release(
            f"{name}-release",
            pulumi.ResourceOptions(
                parent=self, additional_secret_outputs=list(SECRET_OUTPUTS) if args.get("secret") else None
            ),
            name="gpu-operator",
            namespace=namespace,
            chart=protect(args.get("chart", CHART.chart)),
            version=protect(version) if version else None,
            repositoryOpts={"repo": protect(repository)} if repository else None,
            values=protect(merged(derived, args.get("values", {}))),
            timeout=args.get("timeout_seconds", 600),
        )
        objects = (_cluster_policy(derived), _deployment(namespace))
        self.chart_objects = [pulumi.Output.json_dumps(each) for each in objects]
        self.register_outputs({"release": self.release.name})


def _monitor(args: GpuOperatorArgs) -> ServiceMonitor | None:
    given = args.get("monitor")
    return ServiceMonitor(given["interval_seconds"], given["labels"]) if given else None


def _cluster_policy(derived: Values) -> dict[str, Any]:
    """The chart writes these values to the same fields (gpu-operator v26.7.0, templates/clusterpolicy.yaml)."""
    manager, exporter = derived["migManager"]["config"], derived["dcgmExporter"]
    monitor = {key: exporter["serviceMonitor"][key] for key in MONITOR_FIELDS if key in exporter["serviceMonitor"]}
    return {
        "apiVersion": "nvidia.com/v1",
        "kind": "ClusterPolicy",
        "metadata": {"name": "cluster-policy"},
        "spec": {
            "mig": derived["mig"],
            **({"devicePlugin": derived["devicePlugin"]} if "devicePlugin" in derived else {}),
            "migManager": {"config": {"name": manager["name"], "default": manager["default"]}},
            "dcgmExporter": {"config": {"name": exporter["config"]["name"]}, "serviceMonitor": monitor},
        },
    }


def _deployment(namespace: pulumi.Input[str]) -> dict[str, Any]:
    """Only its existence: it is missing if another user deleted the operator's namespace or uninstalled the release."""
    metadata = {"name": "gpu-operator", "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
