"""What a reviewer gets to see: `check` looks at the fleet and puts what it finds among the inputs.

`check` is the one method that Pulumi calls in every preview and every update, changed or not, and whose result is a
visible property diff. What it adds are inputs only: they never become outputs, so a healed resource has no diff.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.rollout.wave import lasting

Props = dict[str, Any]


ADDRESS = ("cluster", "namespace", "reports", "wave", "timeout_s")
"""Inputs that say where and how, not what: a change of them is an update that writes to no node that is right, so that
the state never keeps a kubeconfig's path from before a move."""


def address(props: Mapping[str, Any]) -> tuple[object, ...]:
    """The part of a wish that both providers of a wave share."""
    return *(props.get(key) for key in ADDRESS), bool(props.get("held"))


def unseen(news: Props, who: str, reason: ClusterError) -> CheckResult:
    """The new inputs when nobody could look: a failed preview, unless the stack says ``onUnreachable: warn``."""
    if (news.get("cluster") or {}).get("on_unreachable") != "warn":
        return CheckResult(news, [CheckFailure("", str(reason))])
    pulumi.log.warn(f"{who}: nobody looked for drift: {reason}")
    return CheckResult(news, [])


def checked(
    olds: Props,
    news: Props,
    wish: Callable[[Mapping[str, Any]], object],
    find: Callable[[Props], Iterable[str]],
    foresee: Callable[[Props], Mapping[str, list[str]]] = lambda _: {},
) -> CheckResult:
    """The new inputs, with ``drift`` where `find` has sentences, or with what `foresee` says of a planned change.

    A planned change is not drift, so one of the two is asked; a change of where and how only is none. A wave that is
    held back keeps its old inputs, for those of its nodes that are still in it; new ones are ``joining``. One behind a
    failure keeps all of them, takes over nodes that join it, and nobody looks for drift: a second error about the
    layout it was to leave would hide the first (nodes that another wave has marked are taken back, see
    `components.assignment`). Nothing is looked for while an input is unknown. A cluster that does not answer fails the
    check, unless the stack says ``onUnreachable: warn``.
    """
    blocked = news.get("blocked") is True
    news, olds = lasting(news), lasting(olds)
    if blocked:
        return CheckResult(_behind(olds, news["nodes"]) if olds else {**news, "held": True}, [])
    if news.get("held") and olds and not olds.get("held"):
        news = _waiting(olds, news["nodes"])
    if pulumi.runtime.rpc.contains_unknowns(news) or news.get("held"):
        return CheckResult(news, [])
    here = {key: news.get(key) for key in ADDRESS}
    planned = not olds or wish({**olds, **here}) != wish(news)
    try:
        found = dict(foresee(news)) if planned else {"drift": sorted(find(news))}
    except ClusterError as exc:
        return unseen(news, str(news.get("wave")), exc)
    return CheckResult({**news, **{key: lines for key, lines in found.items() if lines}}, [])


def _behind(olds: Props, nodes: list[str]) -> Props:
    """The old inputs of a wave behind a failed one. Where other nodes than before are ``joining``, it is ``blocked``;
    the update that follows from that leaves its old nodes as they are.
    """
    joining = [name for name in nodes if name not in olds["nodes"]]
    return olds if joining == (olds.get("joining") or []) else {**olds, "joining": joining, "blocked": True}


def _waiting(olds: Props, nodes: list[str]) -> Props:
    """The old inputs of a wave that waits: nodes that left it are gone, and those that are new wait with it."""
    joining = [name for name in nodes if name not in olds["nodes"]]
    kept = {key: value for key, value in olds.items() if key != "joining"}
    stay = {**kept, "nodes": [name for name in olds["nodes"] if name in nodes]}
    return {**stay, "joining": joining} if joining else stay
