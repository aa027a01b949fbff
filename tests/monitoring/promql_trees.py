"""Queries as trees: which series an expression reads, and what it does to them."""

from collections.abc import Iterator
from typing import Any

import promql_parser

from mig_fleet.monitoring.exporter.fields import LISTED, Level

BOARD = {spelling.name for field in LISTED if field.level is Level.BOARD for spelling in field.spellings}
"""Names of fields whose value the exporter repeats on each slice."""
OF_A_SLICE = {"profile", "slice", "GPU_I_PROFILE", "GPU_I_ID", "exported_pod"}


def reads(expr: str) -> Iterator[tuple[str, list[Any]]]:
    """Each series that an expression reads, and the aggregations around it, the innermost first."""
    yield from _walk(promql_parser.parse(expr), [])


def names(expr: str) -> set[str]:
    return {name for name, _ in reads(expr)}


def counted_twice(expr: str) -> list[str]:
    """Board-level fields that an expression adds up or averages over slices: the innermost aggregation of one must be a
    maximum or a minimum by labels of the GPU.
    """
    return [name for name, around in reads(expr) if name in BOARD and not _once_per_gpu(around)]


def averaged(expr: str, series: set[str]) -> set[str]:
    """Those of the series that an expression adds up or averages, as if all slices were of one size."""
    return {
        name for name, around in reads(expr) if name in series and any(str(it.op) in ("avg", "sum") for it in around)
    }


def _once_per_gpu(around: list[Any]) -> bool:
    if not around:
        return False
    inner = around[0]
    return str(inner.op) in ("max", "min") and not set(inner.modifier.labels) & OF_A_SLICE


def _walk(tree: Any, around: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    kind = type(tree).__name__
    if kind == "VectorSelector":
        yield str(tree.name), around
    elif kind == "AggregateExpr":
        yield from _walk(tree.expr, [tree, *around])
    elif kind == "BinaryExpr":
        yield from _walk(tree.lhs, around)
        yield from _walk(tree.rhs, around)
    elif kind == "Call":
        for argument in tree.args:
            yield from _walk(argument, around)
    elif kind == "MatrixSelector":
        yield from _walk(tree.vector_selector, around)
    elif kind in ("ParenExpr", "SubqueryExpr", "UnaryExpr"):
        yield from _walk(tree.expr, around)
    else:
        assert kind in ("NumberLiteral", "StringLiteral"), (
            f"a kind of expression that this reader does not know: {kind}"
        )
