"""Every layout of the stack under its config name, where MIG Manager reads it."""

import pulumi

from mig_fleet.components.layout_file import LayoutFile, LayoutFileArgs


class MigLayouts(pulumi.ComponentResource):
    """One ConfigMap with a fixed name, changed in place.

    A new ``migManager.config.name`` would restart MIG Manager on every node at once (GPU Operator,
    TransformMIGManager). The contents under one config name never change, because the name includes their hash.
    """

    file: LayoutFile

    def __init__(self, name: str, args: LayoutFileArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mig-fleet:index:MigLayouts", name, {}, opts)
        self.file = LayoutFile(f"{name}-file", args, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"file": self.file.id})
