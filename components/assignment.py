"""Assignment: the label that tells MIG Manager what to do, on one wave's nodes. Its path and class names are state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.

A preview that finds nothing to do needs none of what a change needs, so that is imported where something is to be done.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NotRequired

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.components.preview import address, checked
from mig_fleet.observed.ownership import RETAIN, relabelled, spared, taken
from mig_fleet.observed.snapshot import Look, look
from mig_fleet.rollout.wave import WaveArgs, reports_of

Props = dict[str, Any]
READ_ONLY = ("staying", "declared")
"""Inputs that only `check` reads."""


class AssignmentArgs(WaveArgs):
    """One wave's wish."""

    config: str
    """The config name that the nodes shall carry."""
    staying: NotRequired[list[str]]
    """The pool's nodes that keep what they offer in this update; read by each preview, and kept in no state."""
    declared: NotRequired[str]
    """Every node of the stack's pools, with blanks between: one text, because each wave is told. Read and kept like
    ``staying``."""
    on_delete: NotRequired[str]
    """``retain`` the label (default), ``disable`` MIG, or ``restore`` the config from before our first write."""


class AssignmentProvider(ResourceProvider):
    """Writes `nvidia.com/mig.config`; every step may be repeated, and a node that is right is left alone."""

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called for every wave in each preview and each up. Adds ``drift`` when someone else changed a label, and what
        a planned change will do to whom.
        """
        staying, declared = news.get("staying") or [], (news.get("declared") or "").split()
        found = checked(
            olds,
            {key: value for key, value in news.items() if key not in READ_ONLY},
            _wish,
            lambda wave: relabelled(_look(wave), wave, declared),
            lambda wave: _foreseen(wave, staying),
        )
        try:
            return CheckResult({**found.inputs, **_disputed(olds, news, found.inputs)}, found.failures)
        except ClusterError:
            return found

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update when the wish differs or `check` saw drift; never a replacement, the nodes survive it."""
        return DiffResult(changes=_wish(olds) != _wish(news) or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        from mig_fleet.rollout.assign import assign

        return CreateResult(props["wave"], assign(props))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Nodes that are taken out now are released by a later update: in this one another wave may take them over, and
        cut them only once. Those of an earlier one go first: where they cannot, nothing was cut.
        """
        from mig_fleet.rollout.assign import assign

        return UpdateResult(assign(news, olds))

    def delete(self, _id: str, props: Props) -> None:
        """Called when a wave leaves the stack, and on destroy, while MIG Manager still runs."""
        from mig_fleet.rollout.assign import release

        release(props)


class Assignment(Resource, module="mig", name="Assignment"):
    """The nodes of one wave carry one config name."""

    config: pulumi.Output[str]
    nodes: pulumi.Output[list[str]]

    def __init__(self, name: str, args: AssignmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"on_delete": RETAIN, "timeout_s": 300, **args}
        super().__init__(AssignmentProvider(), name, dict(props), opts)


def _disputed(olds: Props, news: Props, props: Props) -> Props:
    """What is to be known of nodes whose mark is not that of the wave which declares them (`observed.ownership`).

    A wave that waits takes its own back even where nothing else makes it an update: the wave that has them may be
    deleted in this one.
    """
    if not olds or pulumi.runtime.rpc.contains_unknowns(props):
        return {}
    waits = bool(news.get("held")) or news.get("blocked") is True
    if waits and "drift" not in props and _wish(olds) == _wish(props):
        lines = taken(_look(props), props, news["nodes"])
        return {"drift": lines, "blocked": True} if lines else {}
    declared = (news.get("declared") or "").split()
    names = spared(_look(props), props, olds, declared) if declared else []
    return {"spared": names} if names else {}


def _look(props: Mapping[str, Any]) -> Look:
    return look(props["cluster"], reports_of(props))


def _foreseen(props: Props, staying: Iterable[str]) -> dict[str, list[str]]:
    """Whom a planned change disturbs; pods are asked for only when there is one."""
    seen = _look(props)
    if all(name in seen.nodes and seen.nodes[name].config == props["config"] for name in props["nodes"]):
        return {}
    from mig_fleet.observed.gpu_pods import holders
    from mig_fleet.rollout.context import Order
    from mig_fleet.rollout.impact import foreseen

    order = Order.of(props)
    held = holders(order.cluster().pods(), order.namespace)
    return foreseen(seen, held, props["nodes"], props["expected"], staying)


def _wish(props: Mapping[str, Any]) -> tuple[Any, ...]:
    how = tuple(props.get(key) for key in ("on_delete", "on_user_pods", "isolation"))
    joining = sorted(props.get("joining") or [])
    return *address(props), props.get("config"), sorted(props.get("nodes") or []), joining, how
