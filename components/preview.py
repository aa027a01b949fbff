"""What `check` adds for the reviewer: it observes the fleet and adds its findings to the inputs.

`check` is the only method that Pulumi calls in every preview and every update, changed or not, with a result that is a
visible property diff. It adds inputs only: they never become outputs, so a repaired resource has no diff.
"""

from collections.abc import Callable, Collection, Iterable
from functools import cache

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult

from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable, ExposedPassword
from mig_fleet.components.cluster_input import NOT_KNOWN_YET
from mig_fleet.components.connection_identity import connection_identity, newest
from mig_fleet.model.wave_nodes import NODE_NAMES, node_names, to_text, without_names
from mig_fleet.rollout.wave import Props, Wave, stored

OF_OWNER = ("owner", "uid")
"""Inputs that are outputs of :class:`~mig_fleet.components.owner.ClusterOwner`: the stack, and its cluster."""

WAY_OUT = "; a stack with `cluster.onUnreachable: warn` is previewed without the check for drift"


def unobserved(news: Props, name: str, reason: ClusterError) -> CheckResult:
    """The inputs if the cluster cannot be observed: a failed preview, unless the stack has ``onUnreachable: warn``.
    Then ``notObserved`` has the reason, for policies.
    """
    cluster = news.get("cluster") or {}
    if cluster.get("onUnreachable") != "warn" or isinstance(reason, ExposedPassword):
        way_out = WAY_OUT if type(reason) is ClusterUnreachable else ""
        return CheckResult(news, [CheckFailure("", f"{reason}{way_out}")])
    warn_once(f"{name}: drift was not checked: {reason}")
    return CheckResult({**news, "notObserved": str(reason)}, [])


def unknown_cluster(news: Props) -> CheckResult | None:
    """The answer of a preview if the cluster is an output of the program that no update has made yet; else None.
    ``notObserved`` says that nothing was compared.
    """
    if not pulumi.runtime.rpc.contains_unknowns(news.get("cluster")):
        return None
    return CheckResult({**news, "notObserved": NOT_KNOWN_YET}, [])


@cache
def warn_once(text: str) -> None:
    """Print a warning that several resources may have, once in a run of the engine, which has one provider process."""
    pulumi.log.warn(text)


def check_wave(
    olds: Props,
    news: Props,
    drift: Callable[[Wave], Iterable[object]],
    impact: Callable[[Wave], Props] = lambda _: {},
) -> CheckResult:
    """The new inputs, with ``drift`` if there is any, and the impact of a planned change or of the repair of drift.

    What differs because the stack declares another layout or other nodes is planned, and no drift. ``impact`` is not
    called for a wave that is as declared. A wave that is held back keeps its old inputs for those of its nodes that are
    still in it; new ones are ``joining``. A wave that is blocked keeps all of them and takes over nodes that join it;
    its drift is not reported, because a second error would hide the first. Nothing is observed while an input is
    unknown, except the owner: that is unknown in a stack's first preview, whose impact matters most.
    """
    blocked = news.get("blocked") is True
    news, olds = stored(news), stored(olds)
    if blocked:
        return CheckResult(_blocked(newest(olds, news), node_names(news)) if olds else {**news, "held": True}, [])
    if news.get("held") and olds and not olds.get("held"):
        # The owner and the connection are not what waits: old credentials may have expired.
        present = {"cluster": news["cluster"], **{key: news.get(key, "") for key in OF_OWNER}}
        news = {**_held(olds, node_names(news)), **present}
    if unread := unknown_cluster(news):
        return unread
    known = with_known_owner(news, olds)
    if pulumi.runtime.rpc.contains_unknowns(known) or news.get("held"):
        return CheckResult(news, [])
    wave = Wave.from_properties(known)
    planned = not olds or _declared(Wave.from_properties(olds)) != _declared(wave)
    try:
        found: Props = {} if planned else {"drift": sorted(map(str, drift(wave)))}
        if planned or found["drift"]:
            found.update(impact(wave))
    except ClusterError as exc:
        return unobserved(news, wave.wave, exc)
    return CheckResult({**news, **{key: value for key, value in found.items() if value}}, [])


def with_known_owner(news: Props, olds: Props) -> Props:
    """The inputs, with the owner and the cluster of the old ones while the new ones are unknown."""
    unknown = (key for key in OF_OWNER if pulumi.runtime.rpc.contains_unknowns(news.get(key)))
    return {**news, **{key: olds.get(key) or "" for key in unknown}}


def has_new_owner(olds: Props, news: Props) -> bool:
    """Whether the record of the owner must be written again, or `delete` must know another cluster: another id, a
    renamed stack, a stack that was moved, or not yet known.
    """
    return any((olds.get(key) or "") != (news.get(key) or "") for key in OF_OWNER)


def connection_of(wave: Wave) -> tuple[object, ...]:
    """The values that both resources of a wave compare, in addition to their own."""
    return (
        connection_identity(wave.cluster),
        wave.namespace,
        wave.reports_namespace,
        wave.wave,
        wave.timeout_seconds,
        wave.held,
    )


def _declared(wave: Wave) -> tuple[object, ...]:
    """What a change of which is planned; a wave that waited until now declares all of it for the first time."""
    return wave.config, wave.config_name, wave.expected.strategy, wave.expected.allocation, wave.nodes, wave.held


def _blocked(olds: Props, nodes: Iterable[str]) -> Props:
    """The old inputs of a wave after a failed one. If nodes join it, it is ``blocked``, which causes an update that
    leaves its old nodes as they are.
    """
    joining = _joining(olds, nodes)
    return olds if joining == (olds.get("joining") or []) else {**olds, "joining": joining, "blocked": True}


def _held(olds: Props, nodes: Collection[str]) -> Props:
    """The old inputs of a wave that waits: nodes that left it are removed, and new ones wait with it."""
    joining, now = _joining(olds, nodes), {*nodes}
    kept = {key: value for key, value in without_names(olds).items() if key != "joining"}
    staying = {**kept, NODE_NAMES: to_text(name for name in node_names(olds) if name in now)}
    return {**staying, "joining": joining} if joining else staying


def _joining(olds: Props, nodes: Iterable[str]) -> list[str]:
    before = {*node_names(olds)}
    return [name for name in nodes if name not in before]
