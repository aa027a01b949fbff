"""A pool: its waves, each assigned, then verified, before the next one starts."""

from typing import NotRequired, TypedDict

import pulumi

from components.assignment import Assignment
from components.cluster import ClusterArgs
from components.comparison import Expected
from components.verification import Verification
from mig.layouts import Layout
from mig.rules import PoolFacts, conflicts, explain
from mig.strategy import Strategy


class PoolRefused(ValueError):
    """The hardware cannot do what the pool asks; the text says why, in slices."""


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
    on_delete: NotRequired[str]
    timeout_s: NotRequired[int]


class Pool(pulumi.ComponentResource):
    """Nodes that share one MIG layout, changed wave by wave and read back."""

    realized: pulumi.Output[dict[str, dict[str, str]]]
    """Node → GPU indices (``0-7``) → the slices that NVML counted on each of them."""

    def __init__(self, name: str, args: PoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse_the_impossible(name, args)
        super().__init__("mig-fleet:index:Pool", name, {}, opts)
        gates: list[Verification] = []
        for number, nodes in enumerate(waves(args["nodes"])):
            wave = f"{name}-wave-{number}"
            after = pulumi.ResourceOptions(parent=self, depends_on=gates[-1:])
            assigned = Assignment(
                f"{wave}-assigned",
                {
                    "cluster": args["cluster"],
                    "namespace": args["namespace"],
                    "reports": args["reports"],
                    "wave": wave,
                    "config": args["layout"].config_name,
                    "nodes": nodes,
                    "on_delete": args.get("on_delete", "retain"),
                    "timeout_s": args.get("timeout_s", 2700),
                },
                after,
            )
            gates.append(
                Verification(
                    f"{wave}-verified",
                    {
                        "cluster": args["cluster"],
                        "namespace": args["namespace"],
                        "reports": args["reports"],
                        "wave": wave,
                        "nodes": nodes,
                        "expected": expectation(args),
                        "timeout_s": args.get("timeout_s", 2700),
                    },
                    pulumi.ResourceOptions(parent=self, depends_on=[assigned]),
                )
            )
        self.realized = pulumi.Output.all(*(gate.realized for gate in gates)).apply(
            lambda parts: {node: gpus for part in parts for node, gpus in sorted((part or {}).items())}
        )
        self.register_outputs({"realized": self.realized})


def waves(nodes: list[str]) -> list[list[str]]:
    """All nodes at once, in name order."""
    return [sorted(nodes)]


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
