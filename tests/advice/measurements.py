"""Measurements of slices, complete and quiet unless a test says otherwise."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from mig_fleet.advice.group_advice import Members
from mig_fleet.advice.measurement import COUNTED, Measurement, Quantity, Slice
from mig_fleet.advice.use import Use
from mig_fleet.advice.window import Window

WINDOW: Final = Window.parse("14d")
GIB: Final = 1 << 30


def a_use(
    slices: int = 14,
    coverage: float = 1.0,
    reported: float = 1.0,
    busy: float | None = 0.2,
    bandwidth: float | None = 0.2,
    memory: float | None = 4 * GIB,
    preallocated: bool = False,
    sm_measured: bool = True,
    missing: tuple[str, ...] = (),
) -> Use:
    return Use(slices, coverage, reported, busy, bandwidth, memory, preallocated, sm_measured, missing)


def a_measurement(
    profile: str = "3g.40gb",
    node: str = "n1",
    gpu: int = 0,
    slice_: str = "1",
    *,
    busy: float = 0.2,
    bandwidth: float = 0.2,
    memory: float = 4 * GIB,
    memory_mean: float = 2 * GIB,
    memory_ratio: float = 0.1,
    with_pod: float = 1.0,
    reported: float = 1.0,
    series: Iterable[str] = COUNTED,
) -> Measurement:
    """``with_pod`` and ``reported`` are shares of the window; ``series`` have values."""
    values = {
        Quantity.BUSY: busy,
        Quantity.BANDWIDTH: bandwidth,
        Quantity.MEMORY: memory,
        Quantity.MEMORY_MEAN: memory_mean,
        Quantity.MEMORY_RATIO: memory_ratio,
    }
    counts = dict.fromkeys(series, with_pod * WINDOW.samples)
    return Measurement(
        Slice(node, gpu, f"GPU-{node}-{gpu}", slice_, profile), values, counts, reported * WINDOW.samples
    )


def of_nodes(
    profile: str, count: int, nodes: Iterable[str] = ("n1",), gpus: Iterable[int] = (0, 1), **changes: Any
) -> Iterator[Measurement]:
    """``count`` equal slices on each GPU of each node."""
    devices = list(gpus)
    for node in nodes:
        for gpu in devices:
            for number in range(count):
                yield a_measurement(profile, node, gpu, str(number + 1), **changes)


def members(*nodes: str, gpus_per_node: int = 2, pool: str = "serving") -> list[Members]:
    return [Members(pool, nodes or ("n1",), gpus_per_node)]
