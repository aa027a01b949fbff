"""Whether MIG Manager reads the layout file where this program does not install the operator, and how a user lets it.

Found before a node is isolated: a MIG Manager that reads another ConfigMap never sees our configs, however long an
update waits. The operator mounts the ConfigMap that the ClusterPolicy names, and restarts MIG Manager on every node
when that name changes (gpu-operator controllers/object_controls.go, TransformMIGManager).
"""

import re
from collections.abc import Iterable, Mapping

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.observed.configs.carried import carried_configs
from mig_fleet.observed.configs.declared_slices import undeclared_slices
from mig_fleet.observed.configs.layout_file import sound_configs
from mig_fleet.observed.configs.manager_file import config_maps_read, reads_layout_file
from mig_fleet.observed.configs.outdated import changes_at_restart
from mig_fleet.observed.configs.sources import read_policy, read_sources
from mig_fleet.observed.operands import CLUSTER_POLICIES, MIG_MANAGER, operand_pods
from mig_fleet.observed.snapshot import Node, observe
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.wave import Wave

OURS = labels.LAYOUTS_CONFIG_MAP
DEFAULT_POLICY = "cluster-policy"
"""The chart's name for its ClusterPolicy."""

RESTART_S = 60.0
"""Seconds in which the operator restarts MIG Manager with the ConfigMap that the ClusterPolicy names; it reacts to the
change itself."""

LISTED_NODES = 5


def check_manager_file(wave: Wave, cluster: Cluster, targets: Mapping[str, str]) -> str:
    """Why MIG Manager cannot apply the targets (node → config), with the ways out; empty if it can, or if its mounts
    are not known. Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    if wave.operator_managed or not targets:
        return ""
    return explain_other_file(wave, cluster, manager_pods(cluster, wave.namespace), targets)


def explain_other_file(wave: Wave, cluster: Cluster, pods: Iterable[Json], targets: Mapping[str, str]) -> str:
    """As :func:`check_manager_file`, for pods that were read already. Empty also if the ClusterPolicy names our file:
    the operator is then about to restart MIG Manager with it, and :func:`await_manager_file` waits for that.
    """
    if wave.operator_managed:
        return ""
    lacking = _lacking(cluster, wave.namespace, pods, targets)
    return _explain(wave, cluster, lacking, targets) if lacking and read_policy(cluster) != OURS else ""


def await_manager_file(context: RolloutContext, targets: Mapping[str, str]) -> str:
    """As :func:`check_manager_file`, but waits up to :data:`RESTART_S` for an operator that has to restart MIG Manager
    with our file, and explains if it does not.
    """
    wave, started = context.wave, context.elapsed_s
    if wave.operator_managed:
        return ""
    while True:
        cluster = context.cluster()
        lacking = _lacking(cluster, wave.namespace, manager_pods(cluster, wave.namespace), targets)
        if not lacking:
            context.finish_progress(f"MIG Manager reads {OURS}")
            return ""
        if read_policy(cluster) != OURS:
            return _explain(wave, cluster, lacking, targets)
        waited = context.elapsed_s - started
        if waited > RESTART_S or context.is_late:
            return _not_restarted(wave.namespace, lacking, waited)
        context.progress(f"waits until the operator restarts MIG Manager on {min(lacking)} with {OURS}")
        context.sleep()


def note(cluster: Cluster, namespace: str, pods: Iterable[Json]) -> str:
    """What a preview notes if MIG Manager (its ``pods``) reads another file and nothing has to be relabelled; empty if
    there is nothing to note. Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    managers = operand_pods(pods, namespace, MIG_MANAGER)
    others = sorted({config_maps_read(pod)[0] for pod in managers.values() if not reads_layout_file(pod)})
    if not others:
        return ""
    which = f"ConfigMap {others[0]}" + (f" (and {len(others) - 1} more)" if len(others) > 1 else "")
    if read_policy(cluster) == OURS:
        return (
            f"MIG Manager's pods still mount {which}, although the ClusterPolicy names {OURS}: the operator restarts "
            f"them, which is finished when `{_look(namespace)}` names it and every pod is new"
        )
    return (
        f"MIG Manager reads {which}, not {OURS}; nodes that keep their config name need nothing, and before the first "
        f"change of a layout set the operator's chart value migManager.config.name to {OURS} (docs/how-to/adopt.md)"
    )


def reads_ours(cluster: Cluster, namespace: str) -> list[str]:
    """What has our ConfigMap mounted, or will have: nodes with such a MIG Manager, or the ClusterPolicy that names it.

    Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    managers = operand_pods(manager_pods(cluster, namespace), namespace, MIG_MANAGER)
    nodes = sorted(name for name, pod in managers.items() if config_maps_read(pod)[:1] == [OURS])
    return nodes or (["ClusterPolicy"] if read_policy(cluster) == OURS else [])


def manager_pods(cluster: Cluster, namespace: str) -> list[Json]:
    """MIG Manager's pods in a namespace."""
    return cluster.pods_in(namespace, f"app={MIG_MANAGER}")


def _lacking(cluster: Cluster, namespace: str, pods: Iterable[Json], targets: Mapping[str, str]) -> dict[str, str]:
    """Node → the other ConfigMap that its MIG Manager reads, and that does not have the node's target."""
    managers = operand_pods(pods, namespace, MIG_MANAGER)
    others = {
        name: config_maps_read(managers[name])[0]
        for name in sorted(targets)
        if name in managers and not reads_layout_file(managers[name])
    }
    files = {name: sound_configs(cluster.config_map(namespace, name)) for name in {*others.values()}}
    return {name: other for name, other in others.items() if targets[name] not in files[other]}


def _explain(wave: Wave, cluster: Cluster, lacking: Mapping[str, str], targets: Mapping[str, str]) -> str:
    ours = cluster.config_map(wave.namespace, OURS)
    nodes = observe(wave.cluster, wave.reports_namespace, dra=wave.is_dra).nodes
    sources = read_sources(cluster, wave.namespace, nodes.values(), (), sound_configs(ours), every=False)
    configs = carried_configs(nodes.values(), (), sources).entries
    adopting = [nodes[name] for name in lacking if name in nodes and labels.WAVE not in nodes[name].annotations]
    differing = {node.name: found[0] for node in adopting if (found := undeclared_slices(wave.expected, node))}
    consequence = _at_restart(changes_at_restart(configs, nodes.values()), [nodes[name] for name in differing])
    without = _some([*lacking]) if wave.config_name == "keep" else ""
    return "\n".join(
        [
            f"{_what_it_reads(lacking, targets)}{consequence}",
            *(f"  not as declared: {name}: {text}" for name, text in [*differing.items()][:LISTED_NODES]),
            *_ways_out(wave.namespace, cluster, ours is not None, without),
        ]
    )


def _what_it_reads(others: Mapping[str, str], targets: Mapping[str, str]) -> str:
    first, *more = others
    nodes = f"{first} and {len(more)} more node(s)" if more else first
    return (
        f"MIG Manager on {nodes} reads ConfigMap {others[first]}, which does not have config '{targets[first]}'; let "
        f"it read {OURS} first. That file has every config that nodes carry, "
    )


def _at_restart(changes: Mapping[str, str], differing: Iterable[Node]) -> str:
    """What a MIG Manager that restarts with our file does to the GPUs; without a report that is not known of a node
    that is not as declared.
    """
    if changes:
        first, *more = changes
        others = f"; and GPUs of {len(more)} more node(s)" if more else ""
        return f"but MIG Manager changes GPUs when it restarts with it: {first}: {changes[first]}{others}"
    if unknown := [node.name for node in differing if not node.has_current_report]:
        return f"but MIG Manager may change the GPUs of {_some(unknown)} when it restarts with it"
    return "so no GPU changes when MIG Manager restarts with it"


def _not_restarted(namespace: str, mounted: Mapping[str, str], waited_s: float) -> str:
    first, *more = mounted
    nodes = f"{first} and {len(more)} more node(s)" if more else first
    return (
        f"MIG Manager's pod on {nodes} still mounts ConfigMap {mounted[first]}, although the ClusterPolicy names "
        f"{OURS}: the operator has not restarted it in {waited_s:.0f} s; look at what the operator made of the "
        f"ClusterPolicy: `{_look(namespace)}`"
    )


def _look(namespace: str) -> str:
    return f"kubectl -n {namespace} get daemonset {MIG_MANAGER} -o yaml"


def _some(nodes: list[str]) -> str:
    more = len(nodes) - LISTED_NODES
    return ", ".join(nodes[:LISTED_NODES]) + (f" and {more} more" if more > 0 else "")


def _ways_out(namespace: str, cluster: Cluster, exists: bool, without: str = "") -> list[str]:
    """``without`` are nodes that a pool which keeps names cannot take as they are."""
    policy = _policy(cluster)
    name = _word(policy["name"], "NAME")
    if without:
        how = f"one `pulumi up` without {without} creates it and changes no node; or declare the slices that are there"
    else:
        how = (
            "one `pulumi up` with `configName: keep` in every pool, and the slices that the nodes have, creates it and "
            "changes no node (`mig-fleet import --cluster` writes such a stack file)"
        )
    return [
        *([] if exists else [f"  before that: ConfigMap {OURS} does not exist yet; {how}"]),
        f"  Helm: `helm upgrade {_release(policy)} nvidia/gpu-operator --version {_version(policy)} -n {namespace} "
        f"--reuse-values --set migManager.config.create=false --set migManager.config.name={OURS}`",
        f"  kubectl, until the next Helm upgrade: `kubectl patch clusterpolicies.nvidia.com/{name} "
        f'--type merge -p \'{{"spec":{{"migManager":{{"config":{{"name":"{OURS}"}}}}}}}}\'`',
        "  Argo CD, in the values of the operator's Application:",
        "    migManager:",
        "      config:",
        f"        {{create: false, name: {OURS}}}",
    ]


def _policy(cluster: Cluster) -> Json:
    """The metadata of the ClusterPolicy; its name only if it cannot be read."""
    try:
        policies = cluster.custom_objects(*CLUSTER_POLICIES) or []
    except ClusterError:
        policies = []
    return {"name": DEFAULT_POLICY, **(policies[0]["metadata"] if policies else {})}


def _release(policy: Json) -> str:
    """The Helm release that the ClusterPolicy is of (helm v3.20, pkg/action/validate.go), or RELEASE."""
    return _word((policy.get("annotations") or {}).get("meta.helm.sh/release-name"), "RELEASE")


def _version(policy: Json) -> str:
    """Its chart's version, or VERSION: without one Helm would upgrade the operator to the newest chart."""
    chart = str((policy.get("labels") or {}).get("helm.sh/chart") or "")
    name, separator, version = chart.partition("gpu-operator-")
    return _word(version if separator and not name else None, "VERSION")


def _word(found: object, otherwise: str) -> str:
    """A text of the cluster that is safe in a command."""
    return found if isinstance(found, str) and re.fullmatch(r"[A-Za-z0-9][\w.+-]*", found) else otherwise
