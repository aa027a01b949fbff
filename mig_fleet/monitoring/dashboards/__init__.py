"""Dashboards of Grafana: the fleet, a pool, a node. Their queries read recorded series, and
``up`` and ``ALERTS`` of Prometheus itself.
"""

from mig_fleet.monitoring.fleet import MonitoredFleet


def dashboards(fleet: MonitoredFleet) -> dict[str, str]:
    """File name → JSON, the same text for the same fleet. Panels about cost are there if a pool has a price."""
    # Grafana's builders take a tenth of a second to import, which a program without dashboards need not wait.
    from mig_fleet.monitoring.dashboards.fleet_board import fleet_board
    from mig_fleet.monitoring.dashboards.node_board import node_board
    from mig_fleet.monitoring.dashboards.pool_board import pool_board

    boards = (fleet_board(fleet), pool_board(fleet), node_board(fleet))
    return {f"{board.uid}.json": board.to_json() for board in boards}
