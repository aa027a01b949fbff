"""The ConfigMap that MIG Manager reads: every layout under its config name."""

from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s

from mig import labels


class MigLayoutsArgs(TypedDict):
    """Where the file goes and what it says."""

    namespace: pulumi.Input[str]
    file: str
    """The mig-parted file, as :func:`mig.parted.dump` writes it."""


class MigLayouts(pulumi.ComponentResource):
    """One ConfigMap of a stable name, changed in place.

    The name is stable because a new ``migManager.config.name`` restarts MIG Manager on every node at once
    (GPU Operator, TransformMIGManager); contents under one config name never change, because their hash is in it.
    """

    config_map: k8s.core.v1.ConfigMap

    def __init__(self, name: str, args: MigLayoutsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mig-fleet:index:MigLayouts", name, {}, opts)
        self.config_map = k8s.core.v1.ConfigMap(
            f"{name}-file",
            metadata={"name": labels.LAYOUTS_CONFIG_MAP, "namespace": args["namespace"]},
            data={labels.LAYOUTS_KEY: args["file"]},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"config_map": self.config_map.metadata["name"]})
