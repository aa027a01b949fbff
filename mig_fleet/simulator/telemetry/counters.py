"""The list of metrics of dcgm-exporter: a CSV file, read as the exporter does (its counter_config.go)."""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mig_fleet.simulator.errors import SimulatorError
from mig_fleet.simulator.telemetry.fields import DRIVER_VERSION, NEW, OLD

DEFAULT: Final = """\
DCGM_FI_DEV_SM_CLOCK, gauge, SM clock frequency (in MHz).
DCGM_FI_DEV_MEM_CLOCK, gauge, Memory clock frequency (in MHz).
DCGM_FI_DEV_MEMORY_TEMP, gauge, Memory temperature (in C).
DCGM_FI_DEV_GPU_TEMP, gauge, GPU temperature (in C).
DCGM_FI_DEV_POWER_USAGE, gauge, Power draw (in W).
DCGM_FI_DEV_PCIE_REPLAY_COUNTER, counter, Total number of PCIe retries.
DCGM_FI_DEV_GPU_UTIL, gauge, GPU utilization (in %).
DCGM_FI_DEV_MEM_COPY_UTIL, gauge, Memory utilization (in %).
DCGM_FI_DEV_XID_ERRORS, gauge, Value of the last XID error encountered.
DCGM_FI_DEV_FB_FREE, gauge, Framebuffer memory free (in MiB).
DCGM_FI_DEV_FB_USED, gauge, Framebuffer memory used (in MiB).
DCGM_FI_DEV_FB_RESERVED, gauge, Framebuffer memory reserved (in MiB).
DCGM_FI_DRIVER_VERSION, label, Driver version
DCGM_FI_PROF_GR_ENGINE_ACTIVE, gauge, Ratio of time the graphics engine is active.
DCGM_FI_PROF_PIPE_TENSOR_ACTIVE, gauge, Ratio of cycles the tensor pipe is active.
DCGM_FI_PROF_DRAM_ACTIVE, gauge, Ratio of cycles the device memory interface is active.
"""
"""The fields that the simulator has of etc/dcp-metrics-included.csv, which the operator uses without a list."""

COLUMNS: Final = 3
KINDS: Final = frozenset({"gauge", "counter", "histogram", "summary", "label"})


class CountersError(SimulatorError):
    """The exporter ends because it cannot use its list."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One row: a field of DCGM, the type of its metric, and its help text."""

    field: str
    kind: str
    help: str


def parse(text: str, known: Collection[str]) -> tuple[Counter, ...]:
    """The rows of a list; raises :class:`CountersError` for what ends the exporter."""
    rows = csv.reader(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return tuple(_counter([cell.strip() for cell in row], known) for row in rows)


def known_names(renamed: bool) -> frozenset[str]:
    """The names that an exporter accepts: newer ones also accept the old names."""
    old = frozenset(OLD) | {DRIVER_VERSION[0]}
    return old | frozenset(NEW) | {DRIVER_VERSION[1]} if renamed else old


def _counter(row: list[str], known: Collection[str]) -> Counter:
    if len(row) != COLUMNS:
        raise CountersError(f"malformed CSV record; err: failed to parse line ({row}), fields must be {COLUMNS}")
    counter = Counter(*row)
    if counter.field not in known:
        raise CountersError(f"could not find DCGM field; err: unknown field '{counter.field}'")
    if counter.kind not in KINDS:
        raise CountersError(f"could not find Prometheus metric type; err: '{counter.kind}'")
    return counter
