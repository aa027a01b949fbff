"""The GPUs and the pods that a change of several nodes affects, by one snapshot and the API server's pods. Pure."""

from collections.abc import Iterable, Mapping

from mig_fleet.model.strategy import PerGpu
from mig_fleet.observed.gpus.affected import AffectedGpus, affected_gpus
from mig_fleet.observed.gpus.pod_gpus import AffectedPod, affected_pods
from mig_fleet.observed.gpus.pods import GpuPod, by_node
from mig_fleet.observed.snapshot import Snapshot

Slices = Mapping[str, PerGpu | None]
"""Node → the profiles per GPU of its new config; ``None`` if they are not known."""

Affected = Mapping[str, AffectedGpus]
"""Node → the GPUs that the change touches."""


def affected_nodes(seen: Snapshot, slices: Slices) -> dict[str, AffectedGpus]:
    """Of every node in ``slices``, those on which nothing is affected included."""
    return {name: affected_gpus(seen.nodes.get(name), target) for name, target in sorted(slices.items())}


def pods_on_affected_gpus(seen: Snapshot, pods: Iterable[GpuPod], affected: Affected) -> dict[str, list[AffectedPod]]:
    """Node → the pods that lose slices or may lose them; nodes without such a pod are left out."""
    of_node = by_node(pods)
    found = {name: affected_pods(seen.nodes.get(name), of_node.get(name, []), gpus) for name, gpus in affected.items()}
    return {name: losing for name, losing in found.items() if losing}
