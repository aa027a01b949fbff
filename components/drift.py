"""How a reviewer gets to see drift: `check` looks at the fleet and puts what it finds among the inputs.

`check` is the one method that Pulumi calls in every preview and every update, changed or not, and whose result is a
visible property diff. What it adds is an input only: it never becomes an output, so a healed resource has no diff.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult

from components.cluster import ClusterError

Props = dict[str, Any]


ADDRESS = ("cluster", "namespace", "reports", "wave", "timeout_s")
"""Inputs that say where and how, not what: a change of them is an update that writes to no node that is right, so that
the state never keeps a kubeconfig's path from before a move."""


def address(props: Mapping[str, Any]) -> tuple[object, ...]:
    """The part of a wish that both providers of a wave share."""
    return tuple(props.get(key) for key in ADDRESS)


def reports_of(props: Mapping[str, Any]) -> str:
    """The namespace of the probes' reports; a state from before they had one of their own means the operator's."""
    return str(props.get("reports") or props["namespace"])


def checked(
    olds: Props,
    news: Props,
    wish: Callable[[Mapping[str, Any]], object],
    find: Callable[[Props], Iterable[str]],
) -> CheckResult:
    """The new inputs, with ``drift`` where `find` has sentences; fails closed when the cluster does not answer.

    Nothing is looked for while an input is unknown, on a first create, or when the wish itself changes: a planned
    change is not drift.
    """
    news = {key: value for key, value in news.items() if key != "drift"}
    if pulumi.runtime.rpc.contains_unknowns(news) or not olds or wish(olds) != wish(news):
        return CheckResult(news, [])
    try:
        drift = sorted(find(news))
    except ClusterError as exc:
        return CheckResult(news, [CheckFailure("", str(exc))])
    return CheckResult({**news, "drift": drift} if drift else news, [])
