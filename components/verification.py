"""Verification: nothing counts as done until NVML, the kubelet and GFD say so. Its path and class names are state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NotRequired

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from components.clean_error import CleanError, one_clean_error
from components.cluster import ClusterError
from components.comparison import Difference, Expected, Kind
from components.drift import address, checked, lasting, reports_of
from components.look import Look, look
from components.rollout.closing import how_to_open, reopen
from components.rollout.gate import agreement, compare, stays
from components.rollout.order import Order, Refused, WaveArgs
from components.rollout.preflight import MANAGER_APP
from components.rollout.recovery import WRONG, Recovery
from components.rollout.rollback import roll_back
from mig import labels
from mig.wording import cuts_in_words

Props = dict[str, Any]
ROLLBACK = "rollback"


class VerificationFailed(CleanError):
    """Some nodes are not as the stack says; the message names each node, GPU, what was expected and found."""


class VerificationArgs(WaveArgs):
    """One wave's proof."""

    soak_s: NotRequired[int]
    """How long a changed wave must stay as declared before its nodes are opened again."""
    recovery: NotRequired[bool]
    """Whether a node that went wrong may be helped (default); see `components.rollout.recovery`."""
    on_failure: NotRequired[str]
    """``halt`` (default): the wave stays closed · ``rollback``: back to the layout that was last verified."""


class VerificationProvider(ResourceProvider):
    """Waits until a wave's nodes are as expected, helps where that is allowed, opens them, or says why not."""

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called for every wave in each preview and each up. Adds ``drift``, the differences a reviewer shall see."""
        return checked(olds, news, _wish, lambda wave: map(str, drifted(_look(wave), wave)))

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update when the wish differs or `check` saw drift; never a replacement, the nodes survive it."""
        return DiffResult(changes=_wish(olds) != _wish(news) or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["wave"], verify(props))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(verify({**news, "counted": olds.get("counted")} if news.get("held") else news))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Called by `pulumi refresh`: what the nodes have now becomes what the state says they have."""
        with one_clean_error(VerificationFailed):
            seen = _look(props)
            return ReadResult(id_, {**props, "counted": _counted(seen, props["nodes"])})


class Verification(Resource, module="mig", name="Verification"):
    """A wave whose slices were read back."""

    counted: pulumi.Output[dict[str, str]]
    """Node → the slices that NVML counted on its GPUs, ``GPU 0-7: 7x 1g.10gb``. One text: the SDK spends a tenth of a
    second on two hundred mappings (benchmarks/preview.py)."""
    recovered: pulumi.Output[list[str]]
    """What had to be done for single nodes in the last update, one sentence each."""

    def __init__(self, name: str, args: VerificationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"timeout_s": 2700, **args, "counted": None, "recovered": None}
        super().__init__(VerificationProvider(), name, dict(props), opts)


def drifted(seen: Look, props: Mapping[str, Any]) -> list[Difference]:
    """Every difference of a wave, and nodes that are right but still closed, or not noted as verified.

    What has not settled counts, too: the update in which the assignment heals a label asks here whether there is
    anything to verify, while MIG Manager is at work. What is noted on the node is what a rollback returns to, and what
    a rollout that is bounded by updates counts.
    """
    found, expected = compare(seen, _expected(props)), props["expected"]
    differing = {difference.node for difference in found}
    for node in (seen.nodes[name] for name in props["nodes"] if name not in differing):
        if node.closed:
            found.append(Difference(Kind.CLOSED, node.name, "is as declared, but still closed to new pods"))
        if node.annotations.get(labels.VERIFIED_CONFIG) != expected["config"]:
            found.append(Difference(Kind.UNNOTED, node.name, "is as declared, but not noted as verified"))
    return found


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


def _look(props: Mapping[str, Any]) -> Look:
    return look(props["cluster"], reports_of(props))


def _counted(seen: Look, nodes: Iterable[str]) -> dict[str, str]:
    """Nodes that are gone have nothing, and of one without a report nothing is known."""
    there = [seen.nodes[name] for name in sorted(nodes) if name in seen.nodes]
    return {node.name: cuts_in_words(node.report.cuts()) if node.report else "no report" for node in there}


def _wish(props: Mapping[str, Any]) -> tuple[Any, ...]:
    expected = props.get("expected") or {}
    gpus = [None if g is None else {k: int(n) for k, n in g.items()} for g in expected.get("gpus", [])]
    how = tuple(props.get(key) for key in ("on_failure", "recovery"))
    return (
        *address(props),
        sorted(props.get("nodes") or []),
        expected.get("config"),
        gpus,
        expected.get("strategy"),
        how,
    )
