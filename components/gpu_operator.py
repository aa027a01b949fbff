"""NVIDIA's GPU Operator as one Helm release whose values follow from the layouts."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s

from mig import labels

Values = dict[str, Any]


class ContradictingValue(ValueError):
    """A chart value of the user's says something else than the one that follows from the layouts."""

    def __init__(self, path: str, derived: object, given: object) -> None:
        super().__init__(path, derived, given)
        self.path, self.derived, self.given = path, derived, given

    def __str__(self) -> str:
        return (
            f"operator.values.{self.path} is {self.given!r}, but the layouts need {self.derived!r}; "
            "remove the value, or change the layouts that lead to it"
        )


class GpuOperatorArgs(TypedDict):
    """What the release needs to know."""

    namespace: pulumi.Input[str]
    chart: str
    """A chart's name in ``repository``, or the path of a vendored chart. A path keeps previews off the network."""
    version: NotRequired[str | None]
    repository: NotRequired[str | None]
    strategy: str
    """``none``, ``single`` or ``mixed``, derived from the layouts in use."""
    metrics: pulumi.Input[str]
    """The name of the ConfigMap with dcgm-exporter's metrics list."""
    values: NotRequired[Mapping[str, Any]]
    """The user's own chart values; merged, never silently overruled."""
    timeout_s: NotRequired[int]


class GpuOperator(pulumi.ComponentResource):
    """The operator's release; its values name our layout file and let its pods onto tainted nodes."""

    release: k8s.helm.v3.Release

    def __init__(self, name: str, args: GpuOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mig-fleet:index:GpuOperator", name, {}, opts)
        repository = args.get("repository")
        self.release = k8s.helm.v3.Release(
            f"{name}-release",
            name="gpu-operator",
            namespace=args["namespace"],
            chart=args["chart"],
            version=args.get("version"),
            repository_opts=k8s.helm.v3.RepositoryOptsArgs(repo=repository) if repository else None,
            values=merged(derived_values(args["strategy"], args["metrics"]), args.get("values", {})),
            timeout=args.get("timeout_s", 600),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"release": self.release.name})


def derived_values(strategy: str, metrics: pulumi.Input[str]) -> Values:
    """The chart values that follow from the layouts (gpu-operator v26.7.0, values.yaml)."""
    return {
        "mig": {"strategy": strategy},
        "migManager": {
            "enabled": True,
            "config": {"create": False, "name": labels.LAYOUTS_CONFIG_MAP, "default": labels.ALL_DISABLED},
        },
        "dcgmExporter": {"config": {"create": False, "name": metrics}},
        # Without ours the device plugin would never return to a node tainted for a change, nor come to a new one.
        "daemonsets": {
            "tolerations": [
                {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
                *({"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in labels.OUR_TAINTS),
            ]
        },
    }


def merged(derived: Values, given: Mapping[str, Any], path: str = "") -> Values:
    """Both trees in one; raises :class:`ContradictingValue` where they meet in different leaves."""
    result = dict(derived)
    for key, value in given.items():
        here = f"{path}.{key}" if path else key
        if key not in derived:
            result[key] = value
        elif isinstance(derived[key], dict) and isinstance(value, Mapping):
            result[key] = merged(derived[key], value, here)
        elif derived[key] != value:
            raise ContradictingValue(here, derived[key], value)
    return result
