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

    Idle instances must report the activity field for this to hold, which is unproven on hardware.
    """
    return {
        "groups": [
            {
                "name": "mig-fleet",
                "rules": [_slice_count(pool) for pool in sorted(pools, key=lambda p: p.name) if pool.slices_per_node],
            }
        ]
    }


def _slice_count(pool: WatchedPool) -> dict[str, Any]:
    nodes = "|".join(pool.nodes)
    # The label was `Hostname` before dcgm-exporter 4.8.3 and is `hostname` since (dcgm-exporter #655).
    counted = " or ".join(
        f'count by (node) (label_replace(DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{EXPORTER},GPU_I_ID!="",{label}=~"{nodes}"}},'
        f' "node", "$1", "{label}", "(.+)"))'
        for label in ("hostname", "Hostname")
    )
    return {
        "alert": "MIGSlicesDifferFromStack",
        "expr": f"({counted}) != {pool.slices_per_node}",
        "for": WAIT,
        "labels": {"severity": "warning", "pool": pool.name},
        "annotations": {
            "summary": f"{{{{ $labels.node }}}} shows {{{{ $value }}}} MIG slices, pool {pool.name} declares "
            f"{pool.slices_per_node}",
            "description": "A reboot, a GPU reset or someone's nvidia-smi changed the slices. `pulumi preview --diff` "
            "shows which; `pulumi up` restores them.",
        },
    }
