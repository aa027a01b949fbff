"""A Helm release, registered as Pulumi's SDK for Kubernetes registers it.

To import the SDK's own class loads an HTTP client, for a sixth of the processor time of all of a program's imports.
"""

from typing import Any, Final

import pulumi

from mig_fleet.components.kubernetes_object import with_version

TYPE: Final = "kubernetes:helm.sh/v3:Release"


class Release(pulumi.CustomResource):
    """One release; its fields have the names of the provider's schema (``repositoryOpts``)."""

    name: pulumi.Output[str]

    def __init__(
        self, resource_name: str, opts: pulumi.ResourceOptions | None = None, /, **fields: pulumi.Input[Any] | None
    ) -> None:
        """Fields that are None are left out, as if they were not given."""
        # The SDK always adds `compat`, so every state has it.
        super().__init__(TYPE, resource_name, {"compat": "true", **fields}, with_version(opts))
