"""Alerts that know what the stack declared."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WatchedPool:
    """What the alert of one pool compares with."""

    name: str
    nodes: tuple[str, ...]
    slices_per_node: int


EXPORTER = 'job=~"nvidia-dcgm-exporter.*|dcgm-exporter"'
WAIT = "15m"
"""Longer than a reconfiguration's telemetry gap: MIG Manager stops the exporter while it works."""


def alert_rules(pools: Iterable[WatchedPool]) -> dict[str, Any]:
    """A Prometheus rule file: one alert per pool when a node's exporter counts other slices than declared.

    Idle instances must report the activity field for this to hold, and a GPU whose MIG mode is on without any instance
    a row of its own; both are unproven on hardware. A node without any row has no alert.
    """
    return {
        "groups": [
            {
                "name": "mig-fleet",
                "rules": [
                    _slice_count(pool)
                    for pool in sorted(pools, key=lambda pool: pool.name)
                    # A matcher of no names would match every series that lacks the label.
                    if pool.slices_per_node and pool.nodes
                ],
            }
        ]
    }


def _slice_count(pool: WatchedPool) -> dict[str, Any]:
    slices, rows = _counted(pool, ',GPU_I_ID!=""'), _counted(pool, "")
    return {
        "alert": "MIGSlicesDifferFromStack",
        # A node without any slice has no rows to count, but those of its GPUs.
        "expr": f"({slices} or 0 * ({rows})) != {pool.slices_per_node}",
        "for": WAIT,
        "labels": {"severity": "warning", "pool": pool.name},
        "annotations": {
            "summary": f"{{{{ $labels.node }}}} shows {{{{ $value }}}} MIG slices, pool {pool.name} declares "
            f"{pool.slices_per_node}",
            "description": "A reboot, a GPU reset or someone's nvidia-smi changed the slices. `pulumi preview --diff` "
            "shows which; `pulumi up` restores them.",
        },
    }


def _counted(pool: WatchedPool, more: str) -> str:
    """How many rows each node of the pool has; none for a node that has none."""
    # A node's name has letters, digits, dashes and dots; only the dot means something else to a matcher.
    nodes = "|".join(node.replace(".", "[.]") for node in pool.nodes)
    # The label was `Hostname` before dcgm-exporter 4.8.3 and is `hostname` since (dcgm-exporter #655).
    return " or ".join(
        f'count by (node) (label_replace(DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{EXPORTER},{label}=~"{nodes}"{more}}},'
        f' "node", "$1", "{label}", "(.+)"))'
        for label in ("hostname", "Hostname")
    )
