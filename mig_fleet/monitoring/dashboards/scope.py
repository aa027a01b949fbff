"""The part of the fleet that a dashboard, or a row of it, shows."""

from dataclasses import dataclass
from typing import Final

from mig_fleet.monitoring.promql import braces
from mig_fleet.monitoring.series import NODE


@dataclass(frozen=True, slots=True)
class Scope:
    """Selects rows of recorded series. ``$pool``, ``$node`` and ``$gpu`` are variables of the dashboards."""

    matchers: tuple[str, ...] = ()
    """For series that have these labels."""
    of_pool: bool = False
    """The nodes of the pool are to be looked up for series that have the label node and not pool."""

    def labeled(self, series: str, *more: str) -> str:
        """Rows of a series that has all labels of the matchers."""
        matchers = (*self.matchers, *more)
        return f"{series}{braces(*matchers)}" if matchers else series

    def rows(self, series: str, *more: str) -> str:
        """Rows of a series that has the labels node and, for a GPU, gpu."""
        if not self.of_pool:
            return self.labeled(series, *more)
        found = f"{series}{braces(*more)}" if more else series
        return f"({found} and on (node) {self.labeled(NODE)})"


FLEET: Final = Scope()
POOL: Final = Scope(('pool="$pool"',), of_pool=True)
ONE_NODE: Final = Scope(('node="$node"',))
ONE_GPU: Final = Scope(('node="$node"', 'gpu="$gpu"'))
