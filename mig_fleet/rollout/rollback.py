"""Return a wave to the layout that was verified last on each node, and verify it again."""

from collections.abc import Mapping

from mig_fleet.documents import DocumentError
from mig_fleet.failures import Refused
from mig_fleet.model import labels, parted
from mig_fleet.model.errors import MigError
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.configs.layout_file import parse_live_file
from mig_fleet.observed.configs.slices import slices_of
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.convergence import wait_for_convergence
from mig_fleet.rollout.isolation import format_isolated, format_results, restore_scheduling
from mig_fleet.rollout.reconfigure import reconfigure
from mig_fleet.rollout.recovery import Recovery


def roll_back(context: RolloutContext) -> str:
    """Return each node to the config that was verified last on it; returns one sentence about the result.

    A node that carries its verified config keeps it; a node that left the cluster is skipped. Raises
    :class:`Refused` or :class:`~mig_fleet.cluster.errors.ClusterError`; the nodes are then isolated.
    """
    seen = context.observe()
    verified = {
        name: seen.nodes[name].annotations.get(labels.VERIFIED_CONFIG)
        for name in context.wave.nodes
        if name in seen.nodes
    }
    never = [name for name, config in verified.items() if not config]
    if never:
        raise Refused(f"no layout was ever verified on {', '.join(never)}, so there is none to return to")
    targets = {name: config for name, config in verified.items() if config}
    changed = {name: config for name, config in targets.items() if seen.nodes[name].config != config}
    if not changed:
        raise Refused("the layout that failed is the one that was verified last, so there is none to return to")
    expected = _expected(context, seen, targets)
    reconfigure(context, changed, {}, {name: expected[name].gpus for name in changed}, is_rollback=True)
    nodes = wait_for_convergence(context, expected, Recovery(context)).nodes
    results, failed = restore_scheduling(context, targets)
    if failed:
        lead = "back at the last verified layout, but still isolated"
        raise Refused(format_isolated((nodes[name] for name in failed), lead, context.wave.isolation, failed))
    configs = sorted({f"{config!r}" for config in targets.values()})
    return f"rolled back to {', '.join(configs)} and verified; {format_results(results)}"


def _expected(context: RolloutContext, seen: Snapshot, targets: Mapping[str, str]) -> dict[str, Expected]:
    """What each node must show with its target config, by the live layout file."""
    config_map = context.cluster().config_map(context.wave.namespace, labels.LAYOUTS_CONFIG_MAP) or {}
    strategy = context.wave.expected.strategy
    try:
        file = parted.read(parse_live_file(config_map))
        return {name: _of_config(file, config, seen.nodes[name], strategy) for name, config in targets.items()}
    except (MigError, DocumentError) as exc:
        raise Refused(f"the layout file in the cluster does not define the last layout: {exc}") from None


def _of_config(file: parted.PartedFile, config: str, node: Node, strategy: Strategy) -> Expected:
    return Expected.of_gpus(config, slices_of(file, config, node), strategy)
