"""Return a wave to the layout that was verified last on each node, and verify it again."""

from collections.abc import Mapping

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.documents import DocumentError
from mig_fleet.failures import Refused
from mig_fleet.model import labels, parted
from mig_fleet.model.errors import MigError
from mig_fleet.observed.configs.layout_file import parse_live_file
from mig_fleet.observed.configs.slices import slices_of
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.snapshot import Snapshot
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.convergence import wait_for_convergence
from mig_fleet.rollout.isolation import format_isolated, format_results, restore_scheduling
from mig_fleet.rollout.reconfigure import reconfigure
from mig_fleet.rollout.recovery import Recovery


def roll_back(context: RolloutContext) -> str:
    """Return each node to the config that was verified last on it; returns one sentence about the result.

    A node that carries its verified config keeps it; a node that left the cluster is skipped. One that cannot return
    hinders no other. Raises :class:`Refused` or :class:`~mig_fleet.cluster.errors.ClusterError`; the nodes that did not
    return are then isolated.
    """
    seen = context.observe()
    verified = {
        name: seen.nodes[name].annotations.get(labels.VERIFIED_CONFIG)
        for name in context.wave.nodes
        if name in seen.nodes
    }
    never = [name for name, config in verified.items() if not config]
    reasons = [f"no layout was ever verified on {', '.join(never)}, so there is none to return to"] if never else []
    expected, unknown = _expected(context, seen, {name: config for name, config in verified.items() if config})
    reasons += unknown
    targets = {name: it.config for name, it in expected.items()}
    changed = {name: config for name, config in targets.items() if seen.nodes[name].config != config}
    if not changed:
        same = "the layout that failed is the one that was verified last, so there is none to return to"
        raise Refused("; ".join(reasons) or same)
    try:
        result = _return(context, changed, expected)
    except (Refused, ClusterError) as exc:
        raise Refused("; ".join([*reasons, str(exc)])) from None
    if reasons:
        raise Refused(f"{'; '.join(reasons)}; {', '.join(sorted(targets))}: {result}")
    return result


def _return(context: RolloutContext, changed: Mapping[str, str], expected: Mapping[str, Expected]) -> str:
    """Change the nodes and verify all; returns one sentence about the result."""
    reconfigure(context, changed, {}, {name: expected[name].gpus for name in changed}, is_rollback=True)
    nodes = wait_for_convergence(context, expected, Recovery(context)).nodes
    results, failed = restore_scheduling(context, expected, nodes)
    if failed:
        lead = "back at the last verified layout, but still isolated"
        raise Refused(format_isolated((nodes[name] for name in failed), lead, context.wave.isolation, failed))
    configs = sorted({f"{it.config!r}" for it in expected.values()})
    return f"rolled back to {', '.join(configs)} and verified; {format_results(results)}"


def _expected(
    context: RolloutContext, seen: Snapshot, targets: Mapping[str, str]
) -> tuple[dict[str, Expected], list[str]]:
    """What each node must show with its target config, by the live layout file; and the reasons for nodes of which that
    is not known.
    """
    found: dict[str, Expected] = {}
    reasons: dict[str, list[str]] = {}
    lead = "the layout file in the cluster does not define the last layout"
    if not targets:
        return found, []
    try:
        config_map = context.cluster().config_map(context.wave.namespace, labels.LAYOUTS_CONFIG_MAP) or {}
        file = parted.read(parse_live_file(config_map))
    except (MigError, DocumentError) as exc:
        return found, [f"{lead}: {exc}"]
    for name, config in targets.items():
        try:
            found[name] = context.wave.expected.with_gpus(config, slices_of(file, config, seen.nodes[name]))
        except MigError as exc:
            reasons.setdefault(f"{lead}: {exc}", []).append(name)
        except Refused as exc:
            reasons.setdefault(str(exc), []).append(name)
    return found, [f"{reason} ({', '.join(names)})" for reason, names in reasons.items()]
