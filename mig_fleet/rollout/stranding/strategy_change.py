"""What another MIG strategy does to requests: slices are renamed on all nodes of the cluster at once. Pure.

A pod that runs keeps its slice. It, or what its controller creates in its place, finds none once it asks again, if no
node offers its resource any more. A change of the strategy reconfigures no GPU.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from mig_fleet.cluster.connection import Json
from mig_fleet.model import gfd, labels
from mig_fleet.model.errors import MigError
from mig_fleet.model.strategy import Strategy, allocatable, strategy_conflicts
from mig_fleet.observed.gpus.pods import gpu_pods
from mig_fleet.observed.plugin_settings import with_another_strategy
from mig_fleet.observed.scheduling import NodeView, mismatch
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.rollout.stranding.stranded_pods import Seeker, StrandedPod, lacking, no_offer


def format_change(changing: Mapping[str, str], strategy: Strategy) -> list[str]:
    """``n1, n2: strategy mixed → single; no GPU is touched``"""
    alike: dict[str, list[str]] = {}
    for name, now in sorted(changing.items()):
        alike.setdefault(now, []).append(name)
    return [f"{', '.join(names)}: strategy {now} → {strategy}; no GPU is touched" for now, names in alike.items()]


def under_strategy(seen: Snapshot, strategy: Strategy) -> Snapshot:
    """The fleet as the device plugin and GFD show it under another strategy, with the slices that it has."""
    changing = with_another_strategy(seen.nodes.values(), strategy)
    renamed = {name: _renamed(seen.nodes[name], strategy) for name in changing}
    return replace(seen, nodes={**seen.nodes, **renamed}) if renamed else seen


def requests_without_offer(
    seen: Snapshot, later: Snapshot, pods: Collection[Json], operator_namespace: str, nodes: Iterable[str]
) -> list[StrandedPod]:
    """The pods whose resources a node offers now, and none does ``later``: those on ``nodes``; and those that wait, if
    the first node that offers them now is one of them.
    """
    specs = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod["spec"] for pod in pods}
    now, views = ({name: NodeView.later(node) for name, node in each.nodes.items()} for each in (seen, later))
    here, known, found = {*nodes}, dict[str, _Offers](), []
    for pod in gpu_pods(pods, operator_namespace):
        if pod.terminating or pod.node not in {*here, ""}:
            continue
        seeker = Seeker(pod, specs[pod.namespace, pod.name])
        offers = known.get(seeker.key) or known.setdefault(seeker.key, _Offers.of(seeker, now, views))
        # A pod may stay where it is, whatever keeps new pods off that node.
        offering = offers.fit | ({pod.node} & offers.offering)
        is_here = bool(offering) and (pod.node or min(offering)) in here
        if is_here and not offers.fit_later and not offering & offers.offering_later:
            found.append(StrandedPod(pod, offers.reason))
    return found


@dataclass(frozen=True)
class _Offers:
    """The nodes that offer what interchangeable pods request, used or not; and those of them where they may run."""

    offering: frozenset[str]
    fit: frozenset[str]
    offering_later: frozenset[str]
    fit_later: frozenset[str]
    reason: str
    """Why none fits later."""

    @classmethod
    def of(cls, seeker: Seeker, now: Mapping[str, NodeView], later: Mapping[str, NodeView]) -> "_Offers":
        return cls(*_nodes(seeker, now), *_nodes(seeker, later), no_offer(seeker, later))


def _nodes(seeker: Seeker, views: Mapping[str, NodeView]) -> tuple[frozenset[str], frozenset[str]]:
    offering = frozenset(name for name, view in views.items() if not lacking(view, seeker.pod.resources))
    return offering, frozenset(name for name in offering if not mismatch(seeker.spec, views[name]))


def _renamed(node: Node, strategy: Strategy) -> Node:
    kept = {key: value for key, value in node.labels.items() if not key.startswith(labels.RESOURCE_PREFIX)}
    others = {key: n for key, n in node.allocatable.items() if not labels.is_gpu_resource(key)}
    offers, profile = _offers(node, strategy)
    product = gfd.with_profile(node.labels.get(labels.PRODUCT, ""), profile)
    changed = {labels.STRATEGY: str(strategy), **({labels.PRODUCT: product} if product else {})}
    return replace(node, labels={**kept, **changed}, allocatable={**others, **offers})


def _offers(node: Node, strategy: Strategy) -> tuple[Mapping[str, int], str]:
    """What the node offers, and the profile in its product label. By NVML's counts; without a current report the
    resources that the kubelet offers are renamed.
    """
    report = node.report
    if report is not None and not report.errors and node.has_current_report:
        with suppress(MigError):  # a profile that the model does not know is named by the kubelet
            per_gpu = report.counts()
            offers = {} if strategy_conflicts(strategy, per_gpu) else allocatable(strategy, per_gpu)
            return offers, gfd.single_profile(per_gpu, strategy)
    offered = {key: n for key, n in node.allocatable.items() if labels.is_gpu_resource(key)}
    if strategy is Strategy.SINGLE:
        profiles = [key.removeprefix(labels.RESOURCE_PREFIX) for key in offered if key != labels.GPU_RESOURCE]
        return ({labels.GPU_RESOURCE: sum(offered.values())}, "".join(profiles)) if len(offered) == 1 else ({}, "")
    profile = gfd.slice_profile(node.labels.get(labels.PRODUCT, ""))
    return ({f"{labels.RESOURCE_PREFIX}{profile}": sum(offered.values())} if profile else offered), ""
