"""The Pulumi program: from a fleet to its resources and outputs."""

from typing import Any

from mig_fleet.components.existing import refuse_existing_objects
from mig_fleet.components.fleet.members import Members
from mig_fleet.components.fleet.place import Place
from mig_fleet.components.fleet.resources import register
from mig_fleet.stack_file.fleet import Fleet
from mig_fleet.stack_file.membership import cluster_args


def deploy(fleet: Fleet) -> dict[str, Any]:
    """Register everything that a stack file describes, with names that states of all releases have; returns the
    stack's outputs.
    """
    cluster = cluster_args(fleet)
    hooks = refuse_existing_objects(cluster, fleet.settings.operator.namespace)
    return register(Members(fleet, fleet), cluster, hooks, Place())
