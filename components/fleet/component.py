"""The fleet as one component, for a program of its own or beside the cluster that the same program creates."""

from typing import Any

import pulumi

from mig_fleet.components.existing import ExistingObjects, has_hooks, start_callback_server
from mig_fleet.components.fleet.args import FleetArgs
from mig_fleet.components.fleet.declared import ConfiguredSections, declare
from mig_fleet.components.fleet.members import read_members
from mig_fleet.components.fleet.place import Place
from mig_fleet.components.fleet.resources import register

TYPE = "mig-fleet:index:Fleet"


class Fleet(pulumi.ComponentResource):
    """Everything that a stack file describes: owner, layouts, operator, probe, monitoring and pools.

    All resources have the fleet as their parent, and names that begin with its name, so a program may have a fleet for
    each of several clusters.
    """

    strategy: pulumi.Output[str]
    """The device plugin's MIG strategy."""
    configs: pulumi.Output[dict[str, str]]
    """Pool → the config name that its nodes get."""
    capacity: pulumi.Output[dict[str, int]]
    """Resource that pods request → the number of them on all nodes."""
    cost: pulumi.Output[dict[str, Any]]
    """USD per hour of pools and slices; empty without prices."""
    slices: pulumi.Output[dict[str, dict[str, str]]]
    """Pool → node → the slices that NVML reports, ``GPU 0-7: 7x 1g.10gb``."""

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises :class:`~mig_fleet.components.refused.FleetRefused` with every mistake in ``args``, before anything is
        registered.
        """
        source = f"Fleet '{name}'"
        declared = declare(source, args)
        members = read_members(declared.fleet, declared.cluster, source)
        namespace = declared.fleet.settings.operator.namespace
        existing = None
        if has_hooks():
            start_callback_server()
            existing = ExistingObjects(declared.cluster, namespace, (TYPE, name))
        checked = pulumi.ResourceOptions(transformations=[existing.transform] if existing else [])
        super().__init__("mig-fleet:index:Fleet", name, {}, pulumi.ResourceOptions.merge(opts, checked))
        hooks = existing.for_provider() if existing else None
        outputs = register(members, declared.cluster, hooks, Place(f"{name}-", self))
        for key, value in outputs.items():
            setattr(self, key, pulumi.Output.from_input(value))
        self.register_outputs(outputs)

    @classmethod
    def from_config(cls, name: str = "fleet", opts: pulumi.ResourceOptions | None = None) -> "Fleet":
        """The fleet of the stack file: the sections ``mig-fleet:cluster``, ``mig-fleet:pools`` and so on of the running
        stack's configuration, whatever the project's name is. Raises as the constructor.
        """
        return cls(name, ConfiguredSections.read(), opts)
