"""Every layout of the stack under its config name, where MIG Manager reads it."""

from dataclasses import replace
from typing import NotRequired, TypedDict

import pulumi

from mig_fleet.components.checked_args import check_args
from mig_fleet.components.cluster_input import ClusterInputArgs, cluster_properties
from mig_fleet.components.layout_args import NamedLayoutArgs, parse_layouts
from mig_fleet.components.layout_file import LayoutFile, LayoutFileArgs
from mig_fleet.components.refused import FleetRefused
from mig_fleet.model import parted
from mig_fleet.model.layouts import Layout
from mig_fleet.model.namespaces import OPERATOR_NAMESPACE
from mig_fleet.policies.layout_fits_gpu import misfits


class MigLayoutsArgs(TypedDict):
    """The layouts, and the cluster in which MIG Manager reads them."""

    cluster: ClusterInputArgs
    """Which cluster."""
    layouts: list[NamedLayoutArgs]
    """Each layout that a pool uses; those that nodes still carry are added."""
    namespace: NotRequired[pulumi.Input[str]]
    """Where MIG Manager runs (default: ``gpu-operator``)."""
    reports_namespace: NotRequired[str]
    """Where the probes write their reports (default: ``namespace``); the waves share the snapshot."""
    operator_managed: NotRequired[bool]
    """Whether this program installs the operator (default: yes); if not, a preview notes what MIG Manager reads."""
    owner: NotRequired[pulumi.Input[str]]
    """The stack that owns the cluster: the output of :class:`~mig_fleet.components.owner.ClusterOwner`."""
    uid: NotRequired[pulumi.Input[str]]
    """The cluster; the output of the same resource (default: any cluster)."""
    take_over: NotRequired[str | None]
    """The stack whose cluster is taken over on purpose."""
    declared_nodes: NotRequired[pulumi.Input[list[str]]]
    """The nodes of all pools of the stack; others that are still isolated are named in previews."""


class MigLayouts(pulumi.ComponentResource):
    """One ConfigMap with a fixed name, changed in place.

    A new ``migManager.config.name`` would restart MIG Manager on every node at once (GPU Operator,
    TransformMIGManager). The contents under one config name never change, because the name includes their hash.
    """

    file: LayoutFile
    carried: pulumi.Output[str | None]
    """The configs that nodes still carry and the program does not declare; :class:`Monitoring` reads it."""

    def __init__(self, name: str, args: MigLayoutsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_args(f"MigLayouts '{name}'", args, MigLayoutsArgs)
        file = _file_args(f"MigLayouts '{name}'", args)
        super().__init__("mig-fleet:index:MigLayouts", name, {}, opts)
        self.file = LayoutFile(f"{name}-file", file, pulumi.ResourceOptions(parent=self))
        self.carried = self.file.carried
        self.register_outputs({"file": self.file.id})


def _file_args(source: str, args: MigLayoutsArgs) -> LayoutFileArgs:
    """Raises :class:`~mig_fleet.components.refused.FleetRefused` for layouts that the hardware cannot have."""
    layouts = parse_layouts(args["layouts"], "layouts", source)
    problems = [
        replace(found, path=f"layouts[{position}]")
        for position, (layout, given) in enumerate(zip(layouts, args["layouts"], strict=True))
        for found in (() if isinstance(given, Layout) else misfits(layout))
    ]
    if problems:
        raise FleetRefused(source, problems)
    given = {key: value for key, value in args.items() if key not in ("cluster", "layouts", "declared_nodes")}
    file = {"namespace": OPERATOR_NAMESPACE, **given, "file": parted.dump(layouts)}
    if "declared_nodes" in args:
        file["declared_nodes"] = _one_text(args["declared_nodes"])
    return {"cluster": cluster_properties(args["cluster"]), **file}  # type: ignore[typeddict-item]  # keys of one are keys of the other


def _one_text(nodes: pulumi.Input[list[str]]) -> pulumi.Input[str]:
    """Sorted and separated by blanks."""
    if isinstance(nodes, list):
        return " ".join(sorted(nodes))
    found: pulumi.Output[list[str]] = pulumi.Output.from_input(nodes)
    return found.apply(lambda known: " ".join(sorted(known)))
