"""The base of our resources: dynamic in a Python program, and in the plugin a type of its own.

A Python program needs no plugin: the engine starts its dynamic provider in the environment of the program. In a program
of another language that environment is not ours, so the plugin serves the same provider classes itself
(docs/adr/0015-two-types-of-each-resource.md).
"""

import pulumi
from pulumi import dynamic
from pulumi.resource import DependencyProviderResource

from mig_fleet.model.resource_types import served_type


class _Plugin:
    """What the process of the plugin knows of itself; nothing of it is set in a program."""

    reference: str = ""
    """Its own provider in the state, ``<urn>::<id>``."""


def serve_as(urn: str, provider_id: str) -> None:
    """From now on the resources of this process belong to this provider, and not to Python's dynamic one.

    Only the plugin calls it. A child of a component that names no provider would get a second one, without the version
    and the address that the program's has.
    """
    _Plugin.reference = f"{urn}::{provider_id}"


def is_plugin() -> bool:
    """Whether this process is the plugin, and not a program."""
    return bool(_Plugin.reference)


class Resource(dynamic.Resource, module="mig", name="Resource"):
    """A resource of one of our dynamic providers. Its type is state: a subclass passes ``module`` and ``name``."""

    def __init__(
        self,
        provider: dynamic.ResourceProvider,
        name: str,
        props: "pulumi.Inputs",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        if not is_plugin():
            super().__init__(provider, name, props, opts)
            return
        own = pulumi.ResourceOptions(provider=DependencyProviderResource(_Plugin.reference))
        merged = pulumi.ResourceOptions.merge(opts, own)
        pulumi.CustomResource.__init__(self, served_type(type(self).__name__), name, {**props}, merged)
