"""Acceptance: a wave is waited for, helped, compared and opened, or it is said why not and what is left."""

from collections.abc import Iterable, Mapping
from typing import Any

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.failures import CleanError, Refused, one_clean_error
from mig_fleet.model import labels
from mig_fleet.model.report import SILENT_AFTER_S
from mig_fleet.model.wording import cuts_in_words
from mig_fleet.observed.differences import Expected
from mig_fleet.observed.snapshot import Look, Node, look
from mig_fleet.rollout.context import Order
from mig_fleet.rollout.convergence import agreement, compare, stays
from mig_fleet.rollout.isolation import how_to_open, reopen
from mig_fleet.rollout.preflight import MANAGER_APP
from mig_fleet.rollout.recovery import WRONG, Recovery
from mig_fleet.rollout.rollback import roll_back
from mig_fleet.rollout.wave import lasting, reports_of

Props = dict[str, Any]
ROLLBACK = "rollback"


class VerificationFailed(CleanError):
    """Some nodes are not as the stack says; the message names each node, GPU, what was expected and found."""


def verify(props: Props) -> Props:
    """Wait, help, compare, open; returns the outputs or raises :class:`VerificationFailed`."""
    if props.get("held"):
        return lasting(props)
    with one_clean_error(VerificationFailed):
        order = Order.of(props)
        expected = _expected(props)
        recovery = _recovery(order, props)
        try:
            seen = agreement(order, expected, recovery)
            changed = [name for name in sorted(expected) if seen.nodes[name].closed]
            if changed:
                stays(order, expected, float(props.get("soak_s", 0)))
        except (Refused, ClusterError) as exc:
            raise VerificationFailed(f"{exc}\n{_after_failure(order, props)}") from None
        _accept(order, seen, props)
        return {**lasting(props), "counted": _counted(seen, expected), "recovered": recovery.helped}


def recount(props: Props) -> Props:
    """The outputs with what NVML counts now; raises :class:`VerificationFailed`."""
    with one_clean_error(VerificationFailed):
        return {**props, "counted": _counted(look(props["cluster"], reports_of(props)), props["nodes"])}


def _recovery(order: Order, props: Props) -> Recovery:
    return Recovery(order, bool(props.get("recovery", True)))


def _expected(props: Mapping[str, Any]) -> dict[str, Expected]:
    return dict.fromkeys(sorted(props["nodes"]), props["expected"])


def _accept(order: Order, seen: Look, props: Props) -> None:
    """The nodes are open again, and what they have is what a rollback would return to."""
    config = props["expected"]["config"]
    new = [n for n in sorted(props["nodes"]) if seen.nodes[n].annotations.get(labels.VERIFIED_CONFIG) != config]
    _, unmarked = order.each(new, lambda cluster, name: cluster.patch_node(name, {}, {labels.VERIFIED_CONFIG: config}))
    _, closed = reopen(order, [name for name in sorted(props["nodes"]) if seen.nodes[name].closed])
    if unmarked or closed:
        reasons = [f"{name} is not marked as verified: {text}" for name, text in sorted(unmarked.items())]
        reasons += [f"{name} may still be closed: {text}" for name, text in sorted(closed.items())]
        way_out = f", or open with `{how_to_open(seen.nodes[name] for name in closed)}`" if closed else ""
        raise VerificationFailed(
            f"all nodes of {order.wave} are as declared, but {'; '.join(reasons)}\nRun the update again{way_out}"
        )


def _after_failure(order: Order, props: Props) -> str:
    """Roll back where that is wanted; what state the nodes are in now, and the way out."""
    lead = ""
    if props.get("on_failure") == ROLLBACK:
        again = Order.of(props)
        try:
            back = roll_back(again, props["nodes"], props["expected"]["strategy"], _recovery(again, props))
            return f"The wave was {back}. The next update tries {props['expected']['config']} again."
        except (Refused, ClusterError) as exc:
            lead = f"The wave could not be rolled back: {exc}\n"
    return lead + _left(order, props["nodes"]) + _by_hand(order, props)


def _by_hand(order: Order, props: Props) -> str:
    """What an update alone does not do where recovery is off, because MIG Manager never retries."""
    if props.get("recovery", True):
        return ""
    try:
        wrong = sorted({d.node for d in compare(order.look(), _expected(props)) if d.kind in WRONG})
    except ClusterError:
        return ""
    pods = f"kubectl -n {order.namespace} delete pods -l app={MANAGER_APP} --field-selector spec.nodeName="
    return "".join(f"\nRecovery is off, so start MIG Manager over first: `{pods}{name}`" for name in wrong)


def _left(order: Order, nodes: Iterable[str]) -> str:
    """What the nodes carry now, whether they are closed, and the way on."""
    try:
        seen = order.look().nodes
    except ClusterError:
        return f"{', '.join(sorted(nodes))} may still be closed; run the update again once the cluster answers."
    there = [seen[name] for name in sorted(nodes) if name in seen]
    closed = [node for node in there if node.closed]
    if not closed:
        kept = " and ".join(sorted({node.config for node in there if node.config}))
        keep = f"The nodes keep config {kept}; once" if kept else "Once"
        return f"{keep} the cause is gone, run `pulumi up` again."
    carried: dict[str, list[str]] = {}
    for node in closed:
        carried.setdefault(node.config or "none", []).append(node.name)
    words = "; ".join(f"with config {config}: {', '.join(names)}" for config, names in sorted(carried.items()))
    return (
        f"Still closed to new pods, {words}. Once the cause is gone, run `pulumi up` again; to open them as they are: "
        f"`{how_to_open(closed)}`"
    )


def _counted(seen: Look, nodes: Iterable[str]) -> dict[str, str]:
    """Nodes that are gone have nothing; of one whose report is not of now, or not whole, nothing is known."""
    there = (seen.nodes[name] for name in sorted(nodes) if name in seen.nodes)
    return {node.name: _cuts(node) or "no report" for node in there}


def _cuts(node: Node) -> str:
    stale = (node.silent_s or 0.0) > SILENT_AFTER_S
    if node.report is None or node.report.errors or not node.is_heard or stale:
        return ""
    return cuts_in_words(node.report.cuts())
