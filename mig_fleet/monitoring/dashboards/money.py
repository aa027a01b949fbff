"""What GPUs cost: panels for dashboards of fleets that have a price."""

from typing import Final

from mig_fleet.monitoring.dashboards import colors, panels
from mig_fleet.monitoring.dashboards.board import Line, Row, line, row
from mig_fleet.monitoring.dashboards.queries import Query
from mig_fleet.monitoring.dashboards.scope import Scope
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.series import COST

USD: Final = "currencyUSD"
_USED: Final = 'part="used"'
_NOT_USED: Final = 'part!="used"'
_OF_PODS: Final = 'part=~"used|idle"'
_IDLE: Final = 'part="idle"'


def money(fleet: MonitoredFleet, scope: Scope) -> tuple[Row, ...]:
    """The row about cost; none if no pool has a price."""
    return (row("Cost", _sums(scope), _parts(scope)),) if fleet.has_prices else ()


def _sums(scope: Scope) -> Line:
    used, unused, price = (f"sum({scope.labeled(COST, *part)})" for part in ((_USED,), (_NOT_USED,), ()))
    return line(
        5,
        panels.number(
            "Price per hour",
            "USD per hour for the GPUs of all nodes with a price. The parts of the cost add up to it.",
            USD,
            Query(price),
        ),
        panels.number(
            "Not used, per hour",
            "USD per hour for everything that does no work. Not all of it can be saved: a fleet needs a reserve.",
            USD,
            Query(unused),
        ),
        panels.number(
            "Used share",
            "Share of the price that pays for work: the activity of each slice with a pod, weighted by its cost.",
            "percentunit",
            Query(f"{used} / ({price} > 0)"),
        ),
    )


def _parts(scope: Scope) -> Line:
    return line(
        9,
        panels.stacked(
            "Cost by part",
            "USD per hour. Used pays for work. Idle: a pod has the slice and does not use it. Unallocated: no pod has "
            "it. Stranded: no slice of the layout has it. Unobserved: the exporter reports nothing of the GPU.",
            USD,
            Query(f"sum by (part) ({scope.labeled(COST)})", "{{part}}"),
            colors={f"^{part}$": color for part, color in colors.PARTS.items()},
        ),
        panels.ranking(
            "Cost by namespace",
            "USD per hour for the slices that the pods of a namespace have, used or not.",
            USD,
            Query(f"sort_desc(sum by (namespace) ({scope.labeled(COST, _OF_PODS)}))", "{{namespace}}"),
        ),
        panels.lines(
            "Idle cost by namespace",
            "USD per hour for what the pods of a namespace have and do not use.",
            USD,
            Query(f"sum by (namespace) ({scope.labeled(COST, _IDLE)})", "{{namespace}}"),
        ),
        widths=(10, 6, 8),
    )
