"""Settings of the device plugin under which no update would see the resources that the stack expects. Pure.

This program sets the strategy only if it installs the operator; which resources are shared, it never sets.
"""

from collections.abc import Iterable

from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.plugin_settings import shared_resources, with_another_strategy
from mig_fleet.observed.snapshot import Node
from mig_fleet.rollout.dra_obstacles import dra_obstacles, without_driver
from mig_fleet.rollout.wave import Wave


def plugin_obstacles(wave: Wave, nodes: Iterable[Node], before: Wave | None) -> list[str]:
    """One sentence for each setting, with the ways out; empty if the expected resources or devices can come. ``before``
    is the wave of the last update.
    """
    nodes = sorted(nodes, key=lambda node: node.name)
    found = [] if wave.operator_managed else _other_strategies(nodes, wave.expected.strategy)
    if wave.is_dra:
        is_switched = before is not None and not before.is_dra
        return [*found, *dra_obstacles(nodes), *(without_driver(nodes) if is_switched else [])]
    for node in nodes:
        shares = shared_resources(node.labels, node.allocatable)
        for shared in (it for it in shares if it.name in wave.expected.allocatable):
            found.append(
                f"on node '{node.name}' {shared}, and mig-fleet counts each slice and GPU once, for one pod; remove "
                f"{shared.name} from `sharing` in the device plugin's config, which `kubectl get "
                "clusterpolicies.nvidia.com -o yaml` names, and preview again a minute later"
            )
    return found


def _other_strategies(nodes: list[Node], strategy: Strategy) -> list[str]:
    alike: dict[str, list[str]] = {}
    for name, now in with_another_strategy(nodes, strategy).items():
        alike.setdefault(now, []).append(name)
    return [
        f"the operator runs {', '.join(names)} under strategy {now}, the stack has {strategy}, and this stack does not "
        f"install the operator; {_ways_out(now, strategy)}"
        for now, names in alike.items()
    ]


def _ways_out(now: str, strategy: Strategy) -> str:
    keep = f"set operator.strategy: {now}, or " if now in (Strategy.MIXED, Strategy.SINGLE) else ""
    return (
        f"{keep}set the operator's chart value mig.strategy to {strategy}, wait a minute for GPU Feature Discovery, "
        "and preview again"
    )
