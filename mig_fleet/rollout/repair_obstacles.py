"""Users' pods that keep the next update from repairing drift, for a preview.

A recovery evicts no pod, whatever `onUserPods` says: MIG Manager is not restarted while pods hold slices that it would
destroy (:mod:`mig_fleet.rollout.recovery`).
"""

from collections.abc import Iterable
from dataclasses import replace

from mig_fleet.observed.configs.names import expected_by_node
from mig_fleet.observed.drift import Difference
from mig_fleet.observed.gpus.affected import affected_gpus
from mig_fleet.observed.gpus.pod_gpus import affected_pods, format_affected
from mig_fleet.observed.gpus.pods import gpu_pods
from mig_fleet.observed.snapshot import Snapshot
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.listed_pods import list_pods
from mig_fleet.rollout.remedy import WRONG
from mig_fleet.rollout.wave import Wave


def with_obstacles(wave: Wave, seen: Snapshot, found: Iterable[Difference]) -> list[Difference]:
    """The differences; one that only a restart of MIG Manager repairs with the pods that prevent it.

    Pods are listed only if there is such a difference. A node that gets another config is drained for it; one whose
    report is older than MIG Manager's state is decided in the update, once its probe has reported. Raises
    :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    differences = list(found)
    names = sorted({each.node for each in differences if each.drift in WRONG and each.node in seen.nodes})
    expected = expected_by_node(wave.expected, names, seen.nodes, wave.config_name)
    nodes = [seen.nodes[name] for name in names if seen.nodes[name].config == expected[name].config]
    nodes = [node for node in nodes if node.has_current_report]
    if not (nodes and wave.recovery):
        return differences
    pods = gpu_pods(list_pods(wave, RolloutContext(wave).cluster()), wave.namespace)
    reasons: dict[str, str] = {}
    for node in nodes:
        of_node = [pod for pod in pods if pod.node == node.name]
        if losing := affected_pods(node, of_node, affected_gpus(node, expected[node.name].gpus)):
            reasons[node.name] = format_affected(losing)

    def one(difference: Difference) -> Difference:
        if difference.drift not in WRONG or difference.node not in reasons:
            return difference
        text = f"{difference.text}; an update is refused while {reasons[difference.node]}; move them away first"
        return replace(difference, text=text)

    return [one(difference) for difference in differences]
