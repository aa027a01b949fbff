"""The facts about a pool that the rules check."""

from dataclasses import dataclass

from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import DEFAULT, Strategy


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A pool, or one wave of it. ``gpu`` is any name that ``gpus.find`` knows; ``strategy`` and
    ``allocation`` are the cluster's.
    """

    name: str
    gpu: str
    gpus_per_node: int
    layout: Layout
    strategy: Strategy = DEFAULT
    allocation: AllocatedBy = AllocatedBy.DEVICE_PLUGIN
