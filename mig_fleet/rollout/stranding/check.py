"""What an update and a preview do about stranded pods: refuse, warn, or list them. Pure."""

from collections.abc import Collection, Iterable, Mapping

from mig_fleet.cluster.connection import Json
from mig_fleet.observed.configs.names import expected_config
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.gpus.pods import GpuPod, gpu_pods
from mig_fleet.observed.snapshot import Snapshot
from mig_fleet.rollout.affected import Affected, Slices, affected_nodes, pods_on_affected_gpus
from mig_fleet.rollout.stranding.stranded_pods import StrandedPod, stranded_pods
from mig_fleet.rollout.wave import Wave

LISTED_PODS = 20

WAYS_OUT = "offer slices that these pods may use, or free some, or choose onStrandedPods: warn"


def stranded_by_change(
    wave: Wave, seen: Snapshot, pods: Iterable[Json], targets: Mapping[str, str], slices: Slices
) -> list[StrandedPod]:
    """The pods that the change of these nodes strands as the cluster is now.

    Pods that ``onUserPods: refuse`` keeps on their nodes do not count: they are a problem of their own.
    """
    pods, affected = list(pods), affected_nodes(seen, slices)
    moved = [] if wave.on_user_pods == "refuse" else _moved(wave, seen, pods, affected)
    return _stranded(wave, seen, pods, targets, slices, affected, moved)


def format_stranded(found: Collection[StrandedPod]) -> list[str]:
    """A line about all of them, then the first :data:`LISTED_PODS` of them with the reasons; nothing for none."""
    if not found:
        return []
    number, they = ("1 pod", "it") if len(found) == 1 else (f"{len(found)} pods", "they")
    return [f"{number} would find no slice on any node where {they} may run:", *listed(found)]


def planned_stranding(
    wave: Wave,
    seen: Snapshot,
    pods: Iterable[Json],
    targets: Mapping[str, str],
    slices: Slices,
    earlier: Iterable[str],
    listed_before: Collection[GpuPod] = (),
) -> tuple[int, list[str]]:
    """What a preview shows: how many pods a change of these nodes strands, and lines about them and about the refusal
    for them.

    ``earlier``: the nodes of the pool that change before these in the same update. Pods that are stranded already when
    those have changed are listed with their waves, and those in ``listed_before`` were listed for another reason.
    """
    pods = list(pods)
    first = _relabelled(wave, seen, earlier)
    first_slices: Slices = dict.fromkeys(first, wave.expected.gpus)
    before = {each.pod for each in _planned(wave, seen, pods, first, first_slices)}
    both = _planned(wave, seen, pods, {**first, **targets}, {**first_slices, **slices})
    found = [each for each in both if each.pod not in before]
    in_use = wave.on_user_pods == "refuse" and any(each.pod.node for each in found)
    is_refused = found and wave.on_stranded_pods == "refuse" and not in_use
    way_out = [f"{wave.wave} will be refused (onStrandedPods: refuse)", WAYS_OUT] if is_refused else []
    new = [each for each in found if each.pod not in listed_before]
    return len(new), [*listed(new), *way_out]


def listed(found: Collection[StrandedPod]) -> list[str]:
    """A line per pod, and a line per reason after the pods that have it: Pulumi shortens a line of a preview after 150
    characters (pulumi v3.259.0, pkg/backend/display/object_diff.go).
    """
    by_reason: dict[str, list[StrandedPod]] = {}
    for each in list(found)[:LISTED_PODS]:
        by_reason.setdefault(each.reason, []).append(each)
    lines = [line for reason, pods in by_reason.items() for line in (*map(str, pods), reason)]
    more = len(found) - LISTED_PODS
    return [*lines, *([f"and {more} more"] if more > 0 else [])]


def _relabelled(wave: Wave, seen: Snapshot, names: Iterable[str]) -> dict[str, str]:
    """The nodes that get another config name with the wave's layout, and that name."""
    there = [seen.nodes[name] for name in names if name in seen.nodes]
    targets = {node.name: expected_config(wave.expected, node, wave.config_name) for node in there}
    return {node.name: targets[node.name] for node in there if node.config != targets[node.name]}


def _planned(
    wave: Wave, seen: Snapshot, pods: list[Json], targets: Mapping[str, str], slices: Slices
) -> list[StrandedPod]:
    """The pods that are stranded once these nodes have changed, and the others are as they are now."""
    affected = affected_nodes(seen, slices)
    return _stranded(wave, seen, pods, targets, slices, affected, _moved(wave, seen, pods, affected))


def _stranded(
    wave: Wave,
    seen: Snapshot,
    pods: Iterable[Json],
    targets: Mapping[str, str],
    slices: Slices,
    affected: Affected,
    moved: list[GpuPod],
) -> list[StrandedPod]:
    if all(gpus.nothing for gpus in affected.values()):
        return []
    changes = {name: _expected(wave, config, slices, name) for name, config in targets.items()}
    return stranded_pods(seen, pods, wave.namespace, changes, moved, wave.on_user_pods)


def _expected(wave: Wave, config: str, slices: Slices, name: str) -> Expected | None:
    gpus = slices.get(name)
    return None if gpus is None else wave.expected.with_gpus(config, gpus)


def _moved(wave: Wave, seen: Snapshot, pods: Iterable[Json], affected: Affected) -> list[GpuPod]:
    losing = pods_on_affected_gpus(seen, gpu_pods(pods, wave.namespace), affected)
    return [it.pod for found in losing.values() for it in found]
