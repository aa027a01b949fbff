"""Every layout of the stack under its config name, where MIG Manager reads it."""

import pulumi

from mig_fleet.components.layout_file import LayoutFile, LayoutFileArgs


class MigLayouts(pulumi.ComponentResource):
    """One ConfigMap of a stable name, changed in place.

    The name is stable because a new ``migManager.config.name`` restarts MIG Manager on every node at once
    (GPU Operator, TransformMIGManager); contents under one config name never change, because their hash is in it.
    """

    file: LayoutFile

    def __init__(self, name: str, args: LayoutFileArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mig-fleet:index:MigLayouts", name, {}, opts)
        self.file = LayoutFile(f"{name}-file", args, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"file": self.file.id})
