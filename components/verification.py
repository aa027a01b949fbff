"""Verification: nothing counts as done until NVML, the kubelet and GFD say so. Its path and class names are state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

import time
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

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
from components.cluster import Cluster, ClusterArgs, ClusterError
from components.comparison import Difference, Expected, Kind, cut, differences
from components.drift import address, checked, reports_of
from components.look import Look, forget, look
from components.recovery import apply_again
from mig.pictures import indices_text

Props = dict[str, Any]

CURABLE = frozenset({Kind.FAILED, Kind.LOST, Kind.DESTROYED, Kind.FOREIGN})
FINAL = frozenset({Kind.GONE, Kind.RELABELLED})
LAGGING = frozenset({Kind.UNREPORTED, Kind.UNREADABLE, Kind.ALLOCATABLE, Kind.FEATURES})

POLL_S = 1.0
CONVERGENCE_S = 120.0
"""GFD looks once a minute (its default interval), so labels and allocatable may lag this long behind NVML."""


class VerificationFailed(CleanError):
    """Some nodes are not as the stack says; the message names each node, GPU, what was expected and found."""


class VerificationArgs(TypedDict):
    """One wave's proof. Everything is known at preview, so that policies and reviewers see it."""

    cluster: ClusterArgs
    namespace: str
    """Where MIG Manager runs."""
    reports: NotRequired[str]
    """Where the probes write their reports (default: ``namespace``)."""
    wave: str
    nodes: list[str]
    expected: Expected
    timeout_s: NotRequired[int]
    """For the whole wave. MIG Manager alone may need 25 minutes before it touches a GPU (mig-parted reconfigure.go)."""


class VerificationProvider(ResourceProvider):
    """Waits until a wave's nodes are as expected, starts MIG Manager over once where it went wrong, and compares."""

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called for every wave in each preview and each up. Adds ``drift``, the differences a reviewer shall see."""
        return checked(olds, news, _wish, lambda wave: map(str, compare(look(wave["cluster"], reports_of(wave)), wave)))

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update when the wish differs or `check` saw drift; never a replacement, the nodes survive it."""
        return DiffResult(changes=_wish(olds) != _wish(news) or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["wave"], verify(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(verify(news))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Called by `pulumi refresh`: what the nodes have now becomes what the state says they have."""
        with one_clean_error(VerificationFailed):
            seen = look(props["cluster"], reports_of(props))
            realized = {name: _realized(seen, name) for name in sorted(props["nodes"]) if name in seen.nodes}
            return ReadResult(id_, {**props, "realized": realized})


class Verification(Resource, module="mig", name="Verification"):
    """A wave whose slices were read back."""

    realized: pulumi.Output[dict[str, dict[str, str]]]
    """Node → GPU indices (``0-7``) → the slices that NVML counted on each of them."""

    def __init__(self, name: str, args: VerificationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"timeout_s": 2700, **args, "realized": None}
        super().__init__(VerificationProvider(), name, dict(props), opts)


def compare(seen: Look, props: Mapping[str, Any]) -> list[Difference]:
    """Every difference of a wave."""
    return [d for name in props["nodes"] for d in differences(props["expected"], name, seen.nodes.get(name))]


def verify(props: Props) -> Props:
    """Wait, start MIG Manager over once where needed, compare; returns the outputs or raises `VerificationFailed`."""
    with one_clean_error(VerificationFailed):
        seen = _agreement(props)
        outputs = {key: value for key, value in props.items() if key != "drift"}
        return {**outputs, "realized": {name: _realized(seen, name) for name in sorted(props["nodes"])}}


def _agreement(props: Props) -> Look:
    """The first look without a difference.

    Patience by kind: a state that has not settled may take until the deadline; what lags behind NVML gets
    :data:`CONVERGENCE_S`; a failed or wrong node is started over once; a missing node or a foreign label gets none.
    """
    started = time.monotonic()
    deadline = started + float(props["timeout_s"])
    only_lagging_since: float | None = None
    restarts: dict[str, str | None] = {}
    told = ""
    unanswered_since: float | None = None
    while True:
        try:
            seen = look(props["cluster"], reports_of(props), fresh=True)
        except ClusterError:
            # An API server that restarts during a wait of 45 minutes is no reason to give up.
            unanswered_since = unanswered_since or time.monotonic()
            if time.monotonic() - unanswered_since > CONVERGENCE_S:
                raise
            time.sleep(POLL_S)
            continue
        unanswered_since = None
        found = compare(seen, props)
        if not found:
            return seen
        now = time.monotonic()
        told = _tell(props, found, told)
        curable = {d.node for d in found if d.kind in CURABLE}
        final = {d.node for d in found if d.kind in FINAL} | (curable & restarts.keys())
        for name in sorted(curable - restarts.keys()):
            restarts[name] = apply_again(Cluster(props["cluster"]), props["namespace"], seen.nodes[name])
            forget()
        lagging = all(d.kind in LAGGING for d in found)
        only_lagging_since = (only_lagging_since or now) if lagging else None
        working = any(d.kind is Kind.UNSETTLED for d in found)
        if (
            now > deadline
            or (final and not working)
            or (only_lagging_since is not None and now - only_lagging_since > CONVERGENCE_S)
        ):
            raise VerificationFailed(_explained(props, found, restarts, now - started))
        time.sleep(POLL_S)


def _tell(props: Props, found: list[Difference], told: str) -> str:
    """A line of progress whenever it reads differently; Pulumi shows it under the stack's row."""
    waiting = {d.node: d.text for d in found}
    first = next(iter(sorted(waiting)))
    text = f"{props['wave']}: {len(props['nodes']) - len(waiting)} of {len(props['nodes'])} nodes verified"
    text += f"; {first}: {waiting[first]}" + (f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else "")
    if text != told:
        print(text, flush=True)
    return text


def _explained(props: Props, found: list[Difference], restarts: Mapping[str, str | None], after_s: float) -> str:
    """Which nodes, which GPUs, what was tried, where to look, what to do."""
    nodes = sorted({d.node for d in found})
    lines = [f"{len(nodes)} of {len(props['nodes'])} nodes of {props['wave']} are not as the stack says:"]
    lines += [f"  {d}" for d in sorted(found, key=str)]
    for name in nodes:
        if name in restarts:
            lines.append(
                f"  {name}: MIG Manager was not started over: {restarts[name]}"
                if restarts[name]
                else f"  {name}: MIG Manager was started over once and ended the same way"
            )
    if not any(name in restarts for name in nodes):
        lines.append(f"  waited {after_s:.0f} s of at most {float(props['timeout_s']):.0f} s")
    kubectl = f"kubectl -n {props['namespace']}"
    lines.append(
        f"Look at MIG Manager's log: {kubectl} logs $({kubectl} get pods -o name -l app=nvidia-mig-manager "
        f"--field-selector spec.nodeName={nodes[0]})"
    )
    lines.append(f"The nodes keep config {props['expected']['config']}; once the cause is gone, run `pulumi up` again.")
    return "\n".join(lines)


def _realized(seen: Look, name: str) -> dict[str, str]:
    """GPUs that look alike, as ``0-7`` or ``0,2``, and what NVML counted on each."""
    report = seen.nodes[name].report
    groups: dict[str, list[int]] = {}
    for index, profiles in enumerate(report.counts() if report else ()):
        groups.setdefault(cut(profiles), []).append(index)
    return {indices_text(indices): text for text, indices in groups.items()}


def _wish(props: Mapping[str, Any]) -> tuple[Any, ...]:
    expected = props.get("expected") or {}
    gpus = [None if g is None else {k: int(n) for k, n in g.items()} for g in expected.get("gpus", [])]
    return *address(props), sorted(props.get("nodes") or []), expected.get("config"), gpus, expected.get("strategy")
