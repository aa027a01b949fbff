"""Back to the layout that was last verified, and verified again."""

from collections.abc import Iterable, Mapping

from mig_fleet.documents import DocumentError
from mig_fleet.failures import Refused
from mig_fleet.model import gfd, labels, parted
from mig_fleet.model.errors import MigError
from mig_fleet.model.strategy import Strategy, allocatable
from mig_fleet.observed.differences import Expected
from mig_fleet.observed.layout_file import live_file
from mig_fleet.observed.snapshot import Look, Node
from mig_fleet.rollout.context import Order
from mig_fleet.rollout.convergence import agreement
from mig_fleet.rollout.isolation import how_to_open, reopen, told
from mig_fleet.rollout.reconfigure import recut
from mig_fleet.rollout.recovery import Recovery


def roll_back(order: Order, nodes: Iterable[str], strategy: str, recovery: Recovery) -> str:
    """Return the nodes to what was last verified on each; one sentence of what they have now.

    A node that is verified as it is stays as it is; one that left the cluster needs nothing. Raises :class:`Refused` or
    :class:`~mig_fleet.cluster.client.ClusterError` when that is not possible; the nodes are closed then.
    """
    seen = order.look()
    verified = {
        name: seen.nodes[name].annotations.get(labels.VERIFIED_CONFIG) for name in sorted(nodes) if name in seen.nodes
    }
    lost = [name for name, config in verified.items() if not config]
    if lost:
        raise Refused(f"no layout was ever verified on {', '.join(lost)}, so there is none to return to")
    targets = {name: config for name, config in verified.items() if config}
    changed = {name: config for name, config in targets.items() if seen.nodes[name].config != config}
    if not changed:
        raise Refused("the layout that failed is the one that was last verified, so there is none to return to")
    expected = _expected(order, seen, targets, strategy)
    recut(order, changed, {})
    back = agreement(order, expected, recovery).nodes
    opened, still_closed = reopen(order, targets)
    if still_closed:
        reasons = "; ".join(f"{name} ({text})" for name, text in sorted(still_closed.items()))
        way_out = how_to_open((back[name] for name in still_closed), order.isolation)
        raise Refused(f"back at the last verified layout, but still closed: {reasons}; open with `{way_out}`")
    configs = sorted({f"{config!r}" for config in targets.values()})
    return f"rolled back to {', '.join(configs)}, read back and {told(opened)}"


def _expected(order: Order, seen: Look, targets: Mapping[str, str], strategy: str) -> dict[str, Expected]:
    """What the live layout file says that each node's GPUs look like under its target."""
    config_map = order.cluster().config_map(order.namespace, labels.LAYOUTS_CONFIG_MAP) or {}
    try:
        file = parted.read(live_file(config_map))
        return {
            name: _of_config(file, config, seen.nodes[name], Strategy(strategy)) for name, config in targets.items()
        }
    except (MigError, DocumentError) as exc:
        raise Refused(f"the layout file in the cluster does not say what the last layout was: {exc}") from None


def _of_config(file: parted.PartedFile, config: str, node: Node, strategy: Strategy) -> Expected:
    if node.report is None or node.report.errors or not node.report.gpus:
        raise Refused(f"which GPUs {node.name} has is not known: its probe has not reported them")
    file.select(config)
    for gpu in node.report.gpus:
        if entry := file.of_a_board(config, gpu.pci_id, gpu.index):
            words = ", ".join(entry.device_filter)
            why = f"the device filter {words} of {config!r} wants a certain board, and a report does not hold which"
            raise Refused(f"what GPU {gpu.index} of {node.name} had is not known: {why} one it is")
    entries = [file.for_gpu(config, gpu.pci_id, gpu.index) for gpu in node.report.gpus]
    cuts = [dict(entry.mig_devices) if entry is not None and entry.mig_enabled else None for entry in entries]
    return {
        "config": config,
        "gpu": "",
        "gpus": cuts,
        "allocatable": allocatable(strategy, cuts),
        "labels": gfd.agreed(cuts, strategy),
        "strategy": str(strategy),
    }
