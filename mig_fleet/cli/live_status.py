"""`mig-fleet status --live`: what every node has now, who has its slices, and the sums of what is real."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import click
import msgspec
from rich.console import Console

from mig_fleet.cli import tables
from mig_fleet.cli.bounded_reading import read_within
from mig_fleet.cli.outputs import status as output
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.documents import DocumentError
from mig_fleet.failures import describe
from mig_fleet.model import labels
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.allocation import Allocation
from mig_fleet.model.errors import InvalidProfile
from mig_fleet.model.formatting import format_gpus, parse_gpus
from mig_fleet.model.report import STALE_AFTER_S
from mig_fleet.model.strategy import Strategy, allocatable
from mig_fleet.observed.configs.names import expected_config, with_config
from mig_fleet.observed.differences import config_changed, node_differences
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.offers import offers_of
from mig_fleet.observed.snapshot import Node, Snapshot, observe
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file.fleet import Fleet, FleetPool
from mig_fleet.stack_file.membership import cluster_args
from mig_fleet.stack_file.problems import InvalidSettings

NO_POOL = "no pool"
UNKNOWN = "not known"


@dataclass(frozen=True)
class LiveNode:
    """One node as it is now; as JSON under the same keys, in camel case."""

    pool: str
    """Empty for a node that no pool declares any more, but that has our annotations or our taint."""
    wave: str
    config: str
    state: str
    isolated: bool
    slices: str | None
    """As NVML shows them; ``None`` if no current report does."""
    differences: tuple[str, ...]
    """What is not as the stack declares."""
    offered: Mapping[str, int]
    """What the kubelet offers."""
    nvml: Mapping[str, int]
    """The same resources, counted by NVML."""
    allocations: tuple[Allocation, ...] | None
    """What the kubelet allocated to pods that exist; ``None`` if that is not known."""
    allocations_error: str


def run(path: Path, console: Console, as_json: bool) -> None:
    """Read the cluster of a stack file and print; raises ``click.ClickException``."""
    try:
        declared = fleets.from_file(path)
        seen, pods = read_within(lambda: _read(declared))
    except (InvalidSettings, DocumentError, ClusterError) as exc:
        raise click.ClickException(str(exc)) from None
    nodes = live_nodes(declared, seen, pods)
    sums = resources(nodes.values(), declared, seen)
    if as_json:
        print_json(to_json(nodes, sums))
    else:
        _show(nodes, sums, console)


def _read(declared: Fleet) -> tuple[Snapshot, set[tuple[str, str]]]:
    """The nodes, and the namespace and name of every pod; raises ClusterError."""
    args = cluster_args(declared)
    seen = observe(args, declared.settings.probe.namespace, dra=declared.allocation is AllocatedBy.DRA)
    return seen, {(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in Cluster(args).pods()}


def live_nodes(declared: Fleet, seen: Snapshot, pods: Iterable[tuple[str, str]]) -> dict[str, LiveNode]:
    """Every declared node, and every other one that we own or isolated; by name."""
    members = {name: pool for pool in declared.pools for name in members_of(pool, seen)}
    others = [n.name for n in seen.nodes.values() if labels.WAVE in n.annotations or n.isolated]
    there = set(pods)
    names = sorted({*members, *others})
    return {name: _readable(members.get(name), declared, seen.nodes.get(name), there) for name in names}


def members_of(pool: FleetPool, seen: Snapshot) -> tuple[str, ...]:
    """The nodes that the pool lists, or that its selector matches now."""
    if pool.settings.selector is None:
        return pool.nodes
    wanted = pool.settings.selector.match_labels.items()
    return tuple(sorted(node.name for node in seen.nodes.values() if wanted <= node.labels.items()))


def resources(nodes: Iterable[LiveNode], declared: Fleet, seen: Snapshot) -> dict[str, dict[str, int]]:
    """Resource → how many NVML has, the kubelets offer, pods have, and the stack file declares."""
    columns: dict[str, Counter[str]] = {key: Counter() for key in ("nvml", "offered", "allocated", "declared")}
    for node in nodes:
        columns["nvml"].update(node.nvml)
        columns["offered"].update(node.offered)
        columns["allocated"].update(allocation.resource for allocation in node.allocations or ())
    for pool in declared.pools:
        of_node = pool.layout.allocatable(pool.settings.gpus_per_node, declared.strategy)
        columns["declared"].update({name: n * len(members_of(pool, seen)) for name, n in of_node.items()})
    names = sorted({name for counts in columns.values() for name, n in counts.items() if n})
    return {name: {key: counts[name] for key, counts in columns.items()} for name in names}


def _readable(pool: FleetPool | None, declared: Fleet, node: Node | None, pods: set[tuple[str, str]]) -> LiveNode:
    """As :func:`_node`; a node whose values cannot be shown hides no other."""
    try:
        return _node(pool, declared, node, pods)
    except Exception as exc:
        text = f"cannot be shown: {describe(exc)}"
        return LiveNode(
            pool.name if pool else "", "", "", "", bool(node and node.isolated), None, (text,), {}, {}, None, ""
        )


def _node(pool: FleetPool | None, declared: Fleet, node: Node | None, pods: set[tuple[str, str]]) -> LiveNode:
    in_pool = pool.name if pool else ""
    if node is None:
        return LiveNode(in_pool, "", "", "", False, None, ("is not in the cluster",), {}, {}, None, "")
    report = node.report
    is_current = report is not None and node.has_current_report and (node.report_age_s or 0.0) <= STALE_AFTER_S
    counts = report.counts() if report and is_current and not report.errors else None
    known = report.allocations if report and is_current else None
    return LiveNode(
        pool=in_pool,
        wave=node.annotations.get(labels.WAVE, ""),
        config=node.config,
        state=node.state,
        isolated=node.isolated,
        slices=format_gpus(dict(enumerate(counts))) if counts is not None else None,
        differences=_differences(pool, declared, node) if pool else (),
        offered={key: n for key, n in offers_of(node).items() if labels.is_gpu_resource(key)},
        nvml=_resources(counts or (), declared.strategy),
        allocations=None if known is None else tuple(it for it in known if (it.namespace, it.pod) in pods),
        allocations_error=report.allocations_error if report and known is None else "",
    )


def _resources(counts: Iterable[Mapping[str, int] | None], strategy: Strategy) -> dict[str, int]:
    """A profile that the catalog does not know counts under its own name."""
    per_gpu = list(counts)
    try:
        return allocatable(strategy, per_gpu)
    except InvalidProfile:
        return dict(sum((Counter(profiles or {}) for profiles in per_gpu), Counter()))


def _differences(pool: FleetPool, declared: Fleet, node: Node) -> tuple[str, ...]:
    expected = Expected.of_layout(pool.layout, pool.settings.gpus_per_node, declared.strategy, declared.allocation)
    target = expected_config(expected, node, pool.settings.config_name)
    renamed = [config_changed(node, target)] if node.config and node.config != target else []
    under_its_name = with_config(expected, node.config or target)
    return tuple(it.text for it in [*renamed, *node_differences(under_its_name, node.name, node)])


def _show(nodes: Mapping[str, LiveNode], sums: Mapping[str, Mapping[str, int]], console: Console) -> None:
    table = tables.ruled(
        "node", "pool, wave", "config, state", "GPUs", "slices on each", title="The nodes as they are now"
    )
    for name, node in nodes.items():
        gpus = parse_gpus(node.slices) if node.slices is not None else {"": UNKNOWN}
        where = (node.pool or NO_POOL, *([node.wave] if node.wave else []))
        state = (node.config or "no config", node.state or "no state")
        lead = (name, *(["isolated"] if node.isolated else []))
        for line in zip_longest(lead, where, state, gpus, gpus.values(), fillvalue=""):
            table.add_row(*line)
    tables.show(table, console)
    for name, node in nodes.items():
        for text in node.differences:
            console.print(f"{name}: {text}", soft_wrap=True)
    _show_allocations(nodes, console)
    table = tables.ruled("resource", "NVML has", "kubelets offer", "pods have", "declared", title="Sums")
    for resource, counts in sums.items():
        table.add_row(resource, *(str(counts[key]) for key in ("nvml", "offered", "allocated", "declared")))
    tables.show(table, console)


def _show_allocations(nodes: Mapping[str, LiveNode], console: Console) -> None:
    table = tables.ruled("node", "pod", "resource", "on", title="Slices and GPUs that pods have")
    for name, node in nodes.items():
        for it in node.allocations or ():
            table.add_row(name, f"{it.namespace}/{it.pod}", it.resource, it.device)
        if node.allocations is None and node.slices is not None:
            console.print(
                f"{name}: who has its slices is not known: {node.allocations_error or 'not reported'}", soft_wrap=True
            )
    if table.row_count:
        tables.show(table, console)


def to_json(nodes: Mapping[str, LiveNode], sums: Mapping[str, Mapping[str, int]]) -> output.LiveStatus:
    return output.LiveStatus(
        nodes=msgspec.convert(dict(nodes), dict[str, output.LiveNode], from_attributes=True),
        resources={name: output.ResourceCounts(**counts) for name, counts in sums.items()},
    )
