"""Whether MIG Manager reads the layout file where this program does not install the operator, and how a user lets it.

Found in seconds, before a node is changed: a MIG Manager that reads another ConfigMap never sees our configs, however
long an update waits. The operator mounts the ConfigMap that the ClusterPolicy names, and restarts MIG Manager on every
node when that name changes (gpu-operator controllers/object_controls.go, TransformMIGManager).
"""

from collections.abc import Iterable, Mapping

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.observed.configs.layout_file import sound_configs
from mig_fleet.observed.configs.manager_file import config_maps_read, reads_layout_file
from mig_fleet.observed.configs.sources import read_policy
from mig_fleet.observed.operands import CLUSTER_POLICIES, MIG_MANAGER, operand_pods
from mig_fleet.rollout.wave import Wave

OURS = labels.LAYOUTS_CONFIG_MAP
DEFAULT_POLICY = "cluster-policy"
"""The chart's name for its ClusterPolicy."""


def check_manager_file(wave: Wave, cluster: Cluster, targets: Mapping[str, str]) -> str:
    """Why MIG Manager cannot apply the targets (node → config), with the ways out; empty if it can, or if its mounts
    are not known. Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    if wave.operator_managed or not targets:
        return ""
    return explain_other_file(wave, cluster, cluster.pods_in(wave.namespace, f"app={MIG_MANAGER}"), targets)


def explain_other_file(wave: Wave, cluster: Cluster, pods: Iterable[Json], targets: Mapping[str, str]) -> str:
    """As :func:`check_manager_file`, for pods that were read already."""
    if wave.operator_managed:
        return ""
    managers = operand_pods(pods, wave.namespace, MIG_MANAGER)
    others = {
        name: config_maps_read(managers[name])[0]
        for name in sorted(targets)
        if name in managers and not reads_layout_file(managers[name])
    }
    files = {name: sound_configs(cluster.config_map(wave.namespace, name)) for name in {*others.values()}}
    lacking = {name: other for name, other in others.items() if targets[name] not in files[other]}
    if not lacking or read_policy(cluster) == OURS:
        return ""  # with the policy, the operator is about to restart MIG Manager with our file
    exists = cluster.config_map(wave.namespace, OURS) is not None
    return "\n".join([_what_it_reads(lacking, targets), *_ways_out(wave.namespace, cluster, exists)])


def note(cluster: Cluster, namespace: str) -> str:
    """What a preview notes if MIG Manager reads another file and nothing has to be relabelled; empty if there is
    nothing to note. Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    managers = operand_pods(cluster.pods_in(namespace, f"app={MIG_MANAGER}"), namespace, MIG_MANAGER)
    others = sorted({config_maps_read(pod)[0] for pod in managers.values() if not reads_layout_file(pod)})
    if not others:
        return ""
    which = f"ConfigMap {others[0]}" + (f" (and {len(others) - 1} more)" if len(others) > 1 else "")
    return (
        f"MIG Manager reads {which}, not {OURS}; nodes that keep their config name need nothing, and before the first "
        f"change of a layout set the operator's chart value migManager.config.name to {OURS} (docs/adopt.md)"
    )


def reads_ours(cluster: Cluster, namespace: str) -> list[str]:
    """The nodes whose MIG Manager has our ConfigMap mounted. Raises :class:`~mig_fleet.cluster.errors.ClusterError`."""
    managers = operand_pods(cluster.pods_in(namespace, f"app={MIG_MANAGER}"), namespace, MIG_MANAGER)
    return sorted(name for name, pod in managers.items() if config_maps_read(pod)[:1] == [OURS])


def _what_it_reads(others: Mapping[str, str], targets: Mapping[str, str]) -> str:
    first, *more = others
    nodes = f"{first} and {len(more)} more node(s)" if more else first
    return (
        f"MIG Manager on {nodes} reads ConfigMap {others[first]}, which does not have config '{targets[first]}'; let "
        f"it read {OURS} first. That file has every config that nodes carry, so no GPU changes when MIG Manager "
        "restarts with it"
    )


def _ways_out(namespace: str, cluster: Cluster, exists: bool) -> list[str]:
    missing = [
        f"  before that: ConfigMap {OURS} does not exist yet; one `pulumi up` with `configName: keep` in every pool, "
        "and the slices that the nodes have, creates it and changes no node (`mig-fleet import --cluster` writes such "
        "a stack file)"
    ]
    return [
        *([] if exists else missing),
        f"  Helm: `helm upgrade RELEASE nvidia/gpu-operator -n {namespace} --reuse-values "
        f"--set migManager.config.create=false --set migManager.config.name={OURS}`",
        f"  kubectl, until the next Helm upgrade: `kubectl patch clusterpolicies.nvidia.com/{_policy_name(cluster)} "
        f'--type merge -p \'{{"spec":{{"migManager":{{"config":{{"name":"{OURS}"}}}}}}}}\'`',
        "  Argo CD, in the values of the operator's Application:",
        "    migManager:",
        "      config:",
        f"        {{create: false, name: {OURS}}}",
    ]


def _policy_name(cluster: Cluster) -> str:
    try:
        policies = cluster.custom_objects(*CLUSTER_POLICIES) or []
    except ClusterError:
        policies = []
    return str(policies[0]["metadata"]["name"]) if policies else DEFAULT_POLICY
