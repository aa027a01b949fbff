"""DCGM's fields: their names of both generations, and their values on a board and on one of its parts.

Sources: DCGM 4.6.0 dcgmlib/dcgm_fields.h and dcgm_fields.cpp (entity levels); go-dcgm for DCGM 4.6.1
pkg/dcgm/const_fields.go and base_unit_fields_test.go (names, and which names have another unit).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mig_fleet.simulator.telemetry.reading import Board, Part

MIB: Final = 2.0**20
MEGA: Final = 1e6

Value = Callable[[Board, Part], float | None]
"""On a part: its own value, or the board's, which DCGM repeats on each part. None: DCGM has no value, and the exporter
writes no series.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """A field under its old name, and the name and unit that dcgm-exporter 4.9.0 has instead."""

    name: str
    new_name: str
    value: Value
    """In the old name's unit."""
    factor: float = 1.0
    """From the old name's unit to the new one's."""


def _whole_only(value: Value) -> Value:
    """NVML has no utilization of a GPU in MIG mode (go-nvml nvml.h): the field is blank."""
    return lambda board, part: None if board.mig else value(board, part)


def _zero(_board: Board, _part: Part) -> float:
    return 0.0


_PER_PART: Final = (
    Field("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO", lambda _, part: part.load.engine),
    Field("DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_SM_UTIL_RATIO", lambda _, part: part.load.sm),
    Field("DCGM_FI_PROF_SM_OCCUPANCY", "DCGM_FI_PROF_SM_OCCUPANCY_RATIO", lambda _, part: part.load.sm * 0.5),
    Field("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_PROF_TENSOR_UTIL_RATIO", lambda _, part: part.load.tensor),
    Field("DCGM_FI_PROF_DRAM_ACTIVE", "DCGM_FI_PROF_DRAM_UTIL_RATIO", lambda _, part: part.load.dram),
    Field("DCGM_FI_DEV_FB_TOTAL", "DCGM_FI_DEV_FB_CAPACITY_BYTES", lambda _, part: part.memory_mib, MIB),
    Field("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_USED_BYTES", lambda _, part: part.used_mib, MIB),
    Field("DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_FB_FREE_BYTES", lambda _, part: part.memory_mib - part.used_mib, MIB),
    Field("DCGM_FI_DEV_FB_RESERVED", "DCGM_FI_DEV_FB_RESERVED_BYTES", _zero, MIB),
    Field("DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_XID_ERROR", lambda _, part: part.xid),
)
_PER_BOARD: Final = (
    Field("DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_BOARD_POWER_WATTS", lambda board, _: board.watts),
    Field("DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_TEMP_CELSIUS", lambda board, _: board.celsius),
    Field("DCGM_FI_DEV_MEMORY_TEMP", "DCGM_FI_DEV_MEMORY_TEMP_CELSIUS", lambda board, _: board.celsius + 6),
    Field("DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_SM_CLOCK_HERTZ", lambda board, _: board.sm_mhz, MEGA),
    Field("DCGM_FI_DEV_MEM_CLOCK", "DCGM_FI_DEV_MEMORY_CLOCK_HERTZ", lambda board, _: board.memory_mhz, MEGA),
    Field("DCGM_FI_DEV_MIG_MODE", "DCGM_FI_DEV_MIG_MODE", lambda board, _: float(board.mig)),
    Field("DCGM_FI_DEV_MIG_MAX_SLICES", "DCGM_FI_DEV_MIG_MAX_SLICES", lambda board, _: float(board.max_slices)),
    Field("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_UTIL_RATIO", _whole_only(lambda b, _: 100 * b.busy), 0.01),
    Field("DCGM_FI_DEV_MEM_COPY_UTIL", "DCGM_FI_DEV_MEMORY_UTIL_RATIO", _whole_only(lambda b, _: 40 * b.busy), 0.01),
    Field("DCGM_FI_DEV_ENC_UTIL", "DCGM_FI_DEV_ENC_UTIL_RATIO", _whole_only(_zero), 0.01),
    Field("DCGM_FI_DEV_DEC_UTIL", "DCGM_FI_DEV_DEC_UTIL_RATIO", _whole_only(_zero), 0.01),
    Field("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", _zero),
    Field("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", _zero),
    Field("DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", _zero),
    Field("DCGM_FI_DEV_ROW_REMAP_FAILURE", "DCGM_FI_DEV_ROW_REMAP_FAILURE", _zero),
)

OLD: Final = {field.name: field for field in (*_PER_PART, *_PER_BOARD)}
NEW: Final = {field.new_name: field for field in OLD.values()}
DRIVER_VERSION: Final = ("DCGM_FI_DRIVER_VERSION", "DCGM_FI_SYSTEM_DRIVER_VERSION")
"""A label of every series, if the list has it; old and new name."""
XID: Final = ("DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_XID_ERROR")
XID_MESSAGES: Final = {
    13: "Graphics Engine Exception",
    31: "GPU memory page fault",
    43: "GPU stopped processing",
    48: "Double Bit ECC Error",
    63: "ECC page retirement or row remapping recording event",
    74: "NVLINK Error",
    79: "GPU has fallen off the bus",
    94: "Contained ECC error",
    95: "Uncontained ECC error",
}
"""XID → its text (docs.nvidia.com, XID Errors)."""
