"""A pool: its waves, each assigned, then verified, before the next one starts."""

import json
from collections.abc import Collection, Iterable
from typing import NotRequired, TypedDict

import pulumi

from mig_fleet.cluster.client import ClusterArgs
from mig_fleet.components.assignment import Assignment
from mig_fleet.components.verification import Verification
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.differences import Expected
from mig_fleet.policies.rules import PoolFacts, conflicts, explain
from mig_fleet.rollout.batching import Pace, waves
from mig_fleet.rollout.wave import TIMEOUT_S, WEDGED_S, WaveArgs


class PoolRefused(ValueError):
    """The hardware cannot do what the pool asks; the text says why, in slices."""


class RolloutArgs(TypedDict, total=False):
    """How the nodes of a pool are changed. The providers' arguments of the same names say what each means."""

    max_unavailable: int | str
    """Nodes that may be away at once: a number, or a share of the pool such as ``25%`` (default: all)."""
    canary: int
    """So many nodes go first (default: none)."""
    soak_s: int
    on_user_pods: str
    on_failure: str
    recovery: bool
    wedged_s: int
    isolation: str
    on_delete: str
    timeout_s: int


class PoolArgs(TypedDict):
    """Nodes with one GPU model and one layout."""

    cluster: ClusterArgs
    namespace: str
    """Where MIG Manager runs."""
    reports: str
    """Where the probes write their reports."""
    gpu: str
    gpus_per_node: int
    nodes: list[str]
    layout: Layout
    strategy: Strategy
    rollout: NotRequired[RolloutArgs]
    declared: NotRequired[Collection[str]]
    """The nodes of all pools of the stack (default: those of this one)."""
    ready: NotRequired[Collection[str]]
    """The nodes that are done; needed only with ``most_waves``."""
    most_waves: NotRequired[int | None]
    """At most so many waves are changed in this update; the others keep what they have."""


class Pool(pulumi.ComponentResource):
    """Nodes that share one MIG layout, changed wave by wave and read back."""

    realized: pulumi.Output[dict[str, str]]
    """Node → the slices that NVML counted on its GPUs, ``GPU 0-7: 7x 1g.10gb``."""

    def __init__(self, name: str, args: PoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse_the_impossible(name, args)
        super().__init__("mig-fleet:index:Pool", name, {}, opts)
        rollout, expected = args.get("rollout", {}), expectation(args)
        pace = Pace(rollout.get("max_unavailable", "100%"), rollout.get("canary", 0))
        members = waves(args["nodes"], pace)
        held = held_back(members, args.get("ready", ()), args.get("most_waves"))
        if held:
            pulumi.log.info(f"{len(held)} of {len(members)} waves wait for a later update: {', '.join(held)}", self)
        staying = sorted(node for wave in held for node in members[wave])
        declared = " ".join(sorted(args.get("declared", args["nodes"])))
        gates: list[Verification] = []
        blocked = pulumi.Output.from_input(False)
        for wave, nodes in members.items():
            common: WaveArgs = {
                "cluster": args["cluster"],
                "namespace": args["namespace"],
                "reports": args["reports"],
                "wave": f"{name}-{wave}",
                "nodes": list(nodes),
                "expected": expected,
                "isolation": rollout.get("isolation", "taint"),
                "timeout_s": rollout.get("timeout_s", TIMEOUT_S),
                "wedged_s": rollout.get("wedged_s", WEDGED_S),
                # A rollback is a change like any other: it meets the users' pods, too.
                "on_user_pods": rollout.get("on_user_pods", "refuse"),
                "held": wave in held,
                "blocked": blocked,
            }
            assigned = Assignment(
                f"{name}-{wave}-assigned",
                {
                    **common,
                    "config": expected["config"],
                    "on_delete": rollout.get("on_delete", "retain"),
                    "staying": [] if wave in held else staying,
                    "declared": declared,
                },
                self._after(gates[-1] if gates else None),
            )
            gate = Verification(
                f"{name}-{wave}-verified",
                {
                    **common,
                    "soak_s": rollout.get("soak_s", 0),
                    "recovery": rollout.get("recovery", True),
                    "on_failure": rollout.get("on_failure", "halt"),
                    "blocked": _or_failed(blocked, assigned),
                },
                self._after(assigned),
            )
            blocked = _or_failed(_or_failed(blocked, assigned), gate)
            gates.append(gate)
        # Each wave's as one text: Pulumi makes an output of every entry of a mapping that it joins with others.
        read_back = [gate.counted.apply(json.dumps).recover(lambda _: "{}") for gate in gates]
        self.realized = pulumi.Output.all(*read_back).apply(_joined)
        self.register_outputs({"realized": self.realized})

    def _after(self, resource: pulumi.Resource | None) -> pulumi.ResourceOptions:
        """Behind a resource, and registered even where that one failed: see :func:`_or_failed`."""
        return pulumi.ResourceOptions(parent=self, depends_on=_present(resource) if resource else [])


def _present(resource: pulumi.Resource) -> pulumi.Output[list[pulumi.Resource]]:
    """A list of the resource, or an empty one where it failed."""

    def itself(_: str) -> list[pulumi.Resource]:
        return [resource]

    return resource.urn.apply(itself).recover(lambda _: [])


def _or_failed(blocked: pulumi.Output[bool], resource: pulumi.Resource) -> pulumi.Output[bool]:
    """Whether something before failed, or this did.

    Under `--continue-on-error` a program that depends on a failed resource would end with a traceback, and with it the
    registration of every other pool (pulumi sdk/python, rpc_manager). So the waves behind a failed one are registered
    all the same, blocked: they keep what they have.
    """
    failed = resource.urn.apply(lambda _: False).recover(lambda _: True)
    return pulumi.Output.all(blocked, failed).apply(any)


def _joined(read_back: Iterable[str]) -> dict[str, str]:
    """Wave by wave, and by node in each; a wave of which nothing is known has nothing."""
    parts: list[dict[str, str]] = [json.loads(text) or {} for text in read_back]
    return {node: text for part in parts for node, text in sorted(part.items())}


def held_back(members: dict[str, tuple[str, ...]], ready: Collection[str], most: int | None) -> list[str]:
    """The waves that are beyond this update's share of those with nodes that are not done."""
    if most is None:
        return []
    open_waves = [wave for wave, nodes in members.items() if not set(nodes) <= set(ready)]
    return open_waves[most:]


def expectation(args: PoolArgs) -> Expected:
    """What every node of the pool shall show once it is done."""
    layout, count, strategy = args["layout"], args["gpus_per_node"], args["strategy"]
    return {
        "config": layout.config_name,
        "gpu": args["gpu"],
        "gpus": [None if profiles is None else dict(profiles) for profiles in layout.per_gpu(count)],
        "allocatable": dict(layout.allocatable(count, strategy)),
        "labels": dict(layout.gfd_labels(count, strategy)),
        "strategy": str(strategy),
    }


def refuse_the_impossible(name: str, args: PoolArgs) -> None:
    """The same rules that the policies enforce, before anything is registered; raises :class:`PoolRefused`."""
    facts = PoolFacts(name=name, gpu=args["gpu"], gpus_per_node=args["gpus_per_node"], layout=args["layout"])
    found = conflicts([facts], args["strategy"])
    if found:
        raise PoolRefused(explain(found))
