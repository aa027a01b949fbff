"""NVIDIA's GPU Operator as one Helm release with the values that mig-fleet needs."""

from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s

from mig_fleet.policies.chart_values import derived_values, merged


class GpuOperatorArgs(TypedDict):
    """What the release needs to know."""

    namespace: pulumi.Input[str]
    chart: str
    """A chart's name in ``repository``, or the path of a vendored chart. A path keeps previews off the network."""
    version: NotRequired[str | None]
    repository: NotRequired[str | None]
    strategy: str
    """``none``, ``single`` or ``mixed``."""
    metrics: pulumi.Input[str]
    """The name of the ConfigMap with dcgm-exporter's metrics list."""
    values: NotRequired[Mapping[str, Any]]
    """The user's own chart values; merged, never silently overruled. Raises
    :class:`~mig_fleet.policies.chart_values.ContradictingValue`."""
    secret: NotRequired[bool]
    """Whether the user's values or the repository hold secrets; then all of them are kept and shown as one."""
    timeout_s: NotRequired[int]


class GpuOperator(pulumi.ComponentResource):
    """The operator's release; its values name our layout file and let its pods onto tainted nodes."""

    release: k8s.helm.v3.Release

    def __init__(self, name: str, args: GpuOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mig-fleet:index:GpuOperator", name, {}, opts)
        repository = args.get("repository")
        kept: Callable[[Any], Any] = pulumi.Output.secret if args.get("secret") else lambda value: value
        self.release = k8s.helm.v3.Release(
            f"{name}-release",
            name="gpu-operator",
            namespace=args["namespace"],
            chart=args["chart"],
            version=args.get("version"),
            repository_opts=k8s.helm.v3.RepositoryOptsArgs(repo=kept(repository)) if repository else None,
            values=kept(merged(derived_values(args["strategy"], args["metrics"]), args.get("values", {}))),
            timeout=args.get("timeout_s", 600),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"release": self.release.name})
