"""The queries of the advice, in PromQL. They read only recorded series."""

from collections.abc import Iterable, Sequence
from typing import Final

from mig_fleet.advice.measurement import Quantity
from mig_fleet.advice.window import STEP_S, Window
from mig_fleet.monitoring import series
from mig_fleet.monitoring.promql import braces, by, one_of, text

RULES_LOADED: Final = f"count({series.PROFILE_COMPUTE})"
"""A constant, which the rules record without any exporter."""
WITH_POD: Final = 'pod!=""'


def nodes_of(pool: str) -> str:
    """One row per node of the pool."""
    return f"{series.NODE}{braces(f'pool={text(pool)}')}"


def of_quantity(quantity: Quantity, nodes: Sequence[str], window: Window) -> str:
    """One row per slice."""

    def sampled(*names: str) -> str:
        return _sampled(_highest(_selected(names, nodes, WITH_POD)), window)

    def most(name: str) -> str:
        """Of all samples, not only of those at each step: a slice without memory fails, if only for a moment."""
        return _highest(f"max_over_time({_selected([name], nodes, WITH_POD)}[{window}])")

    match quantity:
        case Quantity.BUSY:
            return f"quantile_over_time(0.95, {sampled(series.ACTIVITY, series.SM_ACTIVITY)})"
        case Quantity.BANDWIDTH:
            return f"quantile_over_time(0.95, {sampled(series.DRAM_ACTIVITY)})"
        case Quantity.MEMORY:
            return most(series.MEMORY_USED)
        case Quantity.MEMORY_MEAN:
            return f"avg_over_time({sampled(series.MEMORY_USED)})"
        case Quantity.MEMORY_RATIO:
            return most(series.MEMORY_RATIO)


def samples_with_pod(name: str, nodes: Sequence[str], window: Window) -> str:
    """One row per slice: the samples of a series while a pod had the slice."""
    return f"count_over_time({_sampled(_highest(_selected([name], nodes, WITH_POD)), window)})"


def samples(nodes: Sequence[str], window: Window) -> str:
    """One row per slice: the samples of its activity, with and without a pod."""
    return f"count_over_time({_sampled(_highest(_selected([series.ACTIVITY], nodes)), window)})"


def _highest(rows: str) -> str:
    """One row per slice, whichever pod has it."""
    return f"max{by(series.SLICE)} ({rows})"


def _selected(names: Iterable[str], nodes: Sequence[str], *matchers: str) -> str:
    return braces(f"__name__=~{text(one_of(names))}", f"node=~{text(one_of(nodes))}", *matchers)


def _sampled(rows: str, window: Window) -> str:
    return f"({rows})[{window}:{STEP_S}s]"
