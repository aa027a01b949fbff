"""The JSON of `mig-fleet simulate`."""

from mig_fleet.cli.outputs.base import Output


class SimulatedNode(Output, frozen=True):
    """One simulated node."""

    name: str
    gpu: str
    """Its GPU model."""
    gpus: tuple[dict[str, int] | None, ...]
    """The slices of each GPU, as count by profile; ``None`` is MIG off."""
    config: str | None
    state: str | None
    allocatable: dict[str, int]
    faults: tuple[str, ...]


class FleetStatus(Output, frozen=True):
    """The state of the fleet."""

    phase: str
    error: str
    kubeconfig: str
    server: str
    processes: dict[str, int]
    """Process ID by program."""
    genuine: bool
    """Whether NVIDIA's own MIG Manager runs on the nodes."""
    nodes: tuple[SimulatedNode, ...]


class NodeFaults(Output, frozen=True):
    """The active faults of a node."""

    node: str
    faults: tuple[str, ...]


class FaultMeaning(Output, frozen=True):
    """A fault that can be injected."""

    fault: str
    meaning: str
