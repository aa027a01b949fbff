"""An object of the Kubernetes API, registered as Pulumi's SDK for Kubernetes registers it.

The SDK has a class per kind. To import those of the few kinds that a fleet has took a quarter of a preview's program:
`pulumi_kubernetes.core.v1` alone is 4 MB of Python. The provider checks and applies the object either way.
"""

import importlib.metadata
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import pulumi

SDK: Final = "pulumi-kubernetes"
STABLE: Final = re.compile(r"\d+\.\d+\.\d+")


class KubernetesObject(pulumi.CustomResource):
    """One object. Its fields have the names of Kubernetes' own documents (``binaryData``)."""

    metadata: pulumi.Output[Mapping[str, Any]]
    """As it is in the cluster, with the fields that the API server adds."""

    def __init__(
        self,
        name: str,
        api_version: str,
        kind: str,
        metadata: pulumi.Input[Mapping[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
        **fields: pulumi.Input[Any],
    ) -> None:
        """``api_version`` is ``v1`` or ``apps/v1``; ``fields`` are those beside ``metadata``: ``spec``, ``data``."""
        props = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
        super().__init__(type_token(api_version, kind), name, props, with_version(opts))


def type_token(api_version: str, kind: str) -> str:
    """The type of a resource: ``kubernetes:apps/v1:DaemonSet``. The group without a name is ``core`` there."""
    return f"kubernetes:{api_version if '/' in api_version else f'core/{api_version}'}:{kind}"


def with_version(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """The options of a resource of Pulumi's Kubernetes provider."""
    return pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=provider_version()), opts)


@cache
def provider_version() -> str | None:
    """The plugin's version for a program that passes no provider: that of the SDK. The engine chooses one if that is a
    pre-release, which Python writes in another form.
    """
    found = importlib.metadata.version(SDK)
    return found if STABLE.fullmatch(found) else None
