"""Alerts that compare the slices that dcgm-exporter reports with those that the stack declares."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WatchedPool:
    """What the alert of one pool compares the exporter's counts with."""

    name: str
    nodes: tuple[str, ...]
    slices_per_node: int


EXPORTER = 'job=~"nvidia-dcgm-exporter.*|dcgm-exporter"'
WAIT = "15m"
"""Longer than the gap in the metrics during a reconfiguration: MIG Manager stops the exporter while it works."""


def alert_rules(pools: Iterable[WatchedPool]) -> dict[str, Any]:
    """A Prometheus rule file: one alert per pool, for nodes with a slice count that differs from the declared one.

    It assumes that idle instances report the activity field, and that a GPU in MIG mode without instances has a row of
    its own; neither was verified on hardware. A node without any row has no alert.
    """
    return {
        "groups": [
            {
                "name": "mig-fleet",
                "rules": [
                    _slice_count(pool)
                    for pool in sorted(pools, key=lambda pool: pool.name)
                    # An empty matcher would match every series without the label.
                    if pool.slices_per_node and pool.nodes
                ],
            }
        ]
    }


def _slice_count(pool: WatchedPool) -> dict[str, Any]:
    slices, rows = _count(pool, ',GPU_I_ID!=""'), _count(pool, "")
    return {
        "alert": "MIGSlicesDifferFromStack",
        # A node without slices has no rows to count except those of its GPUs.
        "expr": f"({slices} or 0 * ({rows})) != {pool.slices_per_node}",
        "for": WAIT,
        "labels": {"severity": "warning", "pool": pool.name},
        "annotations": {
            "summary": f"{{{{ $labels.node }}}} reports {{{{ $value }}}} MIG slices, pool {pool.name} declares "
            f"{pool.slices_per_node}",
            "description": "A reboot, a GPU reset or a manual nvidia-smi command changed the slices. `pulumi preview "
            "--diff` shows which; `pulumi up` restores them.",
        },
    }


def _count(pool: WatchedPool, more: str) -> str:
    """The number of rows by node; no value for a node without rows. ``more`` are further label matchers."""
    # A node's name has letters, digits, dashes and dots; only the dot has a meaning in a regular expression.
    nodes = "|".join(node.replace(".", "[.]") for node in pool.nodes)
    # The label was `Hostname` before dcgm-exporter 4.8.3 and is `hostname` since (dcgm-exporter #655).
    return " or ".join(
        f'count by (node) (label_replace(DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{EXPORTER},{label}=~"{nodes}"{more}}},'
        f' "node", "$1", "{label}", "(.+)"))'
        for label in ("hostname", "Hostname")
    )
