"""Verification: nothing counts as done until NVML, the kubelet and GFD say so. Its path and class names are state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.

A preview that finds nothing to do needs none of what a change needs, so that is imported where something is to be done.
"""

from collections.abc import Mapping
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

from mig_fleet.components.preview import address, checked
from mig_fleet.model import labels
from mig_fleet.observed.differences import Difference, Kind, differences
from mig_fleet.observed.snapshot import Look, look
from mig_fleet.rollout.wave import TIMEOUT_S, WaveArgs, reports_of

Props = dict[str, Any]


class VerificationArgs(WaveArgs):
    """One wave's proof."""

    soak_s: NotRequired[int]
    """How long a changed wave must stay as declared before its nodes are opened again."""
    recovery: NotRequired[bool]
    """Whether a node that went wrong may be helped (default); see `mig_fleet.rollout.recovery`."""
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
        from mig_fleet.rollout.verify import verify

        return CreateResult(props["wave"], verify(props))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        from mig_fleet.rollout.verify import verify

        return UpdateResult(verify({**news, "counted": olds.get("counted")} if news.get("held") else news))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Called by `pulumi refresh`: what the nodes have now becomes what the state says they have."""
        from mig_fleet.rollout.verify import recount

        return ReadResult(id_, recount(props))


class Verification(Resource, module="mig", name="Verification"):
    """A wave whose slices were read back."""

    counted: pulumi.Output[dict[str, str]]
    """Node → the slices that NVML counted on its GPUs, ``GPU 0-7: 7x 1g.10gb``. One text: the SDK spends a tenth of a
    second on two hundred mappings (benchmarks/preview.py)."""
    recovered: pulumi.Output[list[str]]
    """What had to be done for single nodes in the last update, one sentence each."""

    def __init__(self, name: str, args: VerificationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"timeout_s": TIMEOUT_S, **args, "counted": None, "recovered": None}
        super().__init__(VerificationProvider(), name, dict(props), opts)


def drifted(seen: Look, props: Mapping[str, Any]) -> list[Difference]:
    """Every difference of a wave, and nodes that are right but still closed, or not noted as verified.

    What has not settled counts, too: the update in which the assignment heals a label asks here whether there is
    anything to verify, while MIG Manager is at work. What is noted on the node is what a rollback returns to, and what
    a rollout that is bounded by updates counts.
    """
    expected = props["expected"]
    found = [d for name in sorted(props["nodes"]) for d in differences(expected, name, seen.nodes.get(name))]
    differing = {difference.node for difference in found}
    for node in (seen.nodes[name] for name in props["nodes"] if name not in differing):
        if node.closed:
            found.append(Difference(Kind.CLOSED, node.name, "is as declared, but still closed to new pods"))
        if node.annotations.get(labels.VERIFIED_CONFIG) != expected["config"]:
            found.append(Difference(Kind.UNNOTED, node.name, "is as declared, but not noted as verified"))
    return found


def _look(props: Mapping[str, Any]) -> Look:
    return look(props["cluster"], reports_of(props))


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
