"""The fields of dcgm-exporter that mig-fleet asks for, with both spellings, their units and their level.

dcgm-exporter 4.9.0 (DCGM 4.7) renames the fields of its own lists and changes units. The name of a series is the first
column of the list, so a list decides which spelling a cluster has. Sources:

- legacy names: dcgm-exporter ``etc/default-counters.csv`` (4.5.3-4.8.2), DCGM ``dcgmlib/dcgm_fields.h``.
- new names: go-dcgm (DCGM 4.6.1) ``pkg/dcgm/const_fields.go``, ``alias_resolution_test.go`` and
  ``base_unit_fields_test.go``; the notes of dcgm-exporter 4.9.0.
- levels: DCGM 4.6.0 ``dcgmlib/src/dcgm_fields.cpp``, the entity level of each field.
- blank fields: go-nvml ``nvml.h`` (no utilization rates for a GPU with MIG); dcgm-exporter #50, #105, #216, #430.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Generation(StrEnum):
    """Which spelling an exporter's own lists have."""

    LEGACY = "legacy"
    """Before dcgm-exporter 4.9.0."""
    RENAMED = "renamed"


class Level(StrEnum):
    """What a value belongs to, when the exporter writes it on the row of a slice."""

    COMPUTE_INSTANCE = "compute instance"
    """DCGM_FE_GPU_CI."""
    GPU_INSTANCE = "GPU instance"
    """DCGM_FE_GPU_I; compute instances of one GPU instance share it."""
    BOARD = "board"
    """DCGM_FE_GPU; the same value is on the row of every slice, so a sum over slices is wrong."""
    BLANK = "blank under MIG"
    """No series at all on a GPU with MIG."""


class Unit(StrEnum):
    """A unit of the exporter; ``factor`` converts a value to the unit of the recorded series."""

    RATIO = "ratio"
    PERCENT = "%"
    MIB = "MiB"
    BYTES = "B"
    WATTS = "W"
    CELSIUS = "°C"
    MEGAHERTZ = "MHz"
    HERTZ = "Hz"
    CODE = "code"
    COUNT = "count"

    @property
    def factor(self) -> float:
        """1 for a base unit."""
        return {Unit.MIB: 2**20, Unit.MEGAHERTZ: 1e6, Unit.PERCENT: 0.01}.get(self, 1)


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name of a field and the unit that belongs to it."""

    name: str
    unit: Unit
    proven: bool = True
    """False if no source of NVIDIA's that could be read has the exact name. Rules accept it, but no list has it: an
    exporter does not start with a name that it does not know (``counter_config.go``).
    """


@dataclass(frozen=True, slots=True)
class Field:
    """A gauge of the exporter."""

    legacy: Spelling
    renamed: Spelling
    level: Level
    help: str
    """A phrase without a comma, which would be a fourth column of the list (``counter_config.go``)."""

    def __post_init__(self) -> None:
        if "," in self.help or "\n" in self.help:
            raise ValueError(f"{self.legacy.name}: the help text must be one line without a comma: {self.help!r}")

    @property
    def spellings(self) -> tuple[Spelling, ...]:
        """Both names, or the only one."""
        return (self.legacy,) if self.legacy == self.renamed else (self.legacy, self.renamed)

    def listed(self, generation: Generation) -> Spelling:
        """The spelling of a list for exporters of ``generation``. DCGM 4.7 deprecates the legacy names but has them."""
        return self.renamed if generation == Generation.RENAMED and self.renamed.proven else self.legacy


def _ratio(legacy: str, renamed: str, level: Level, text: str) -> Field:
    return Field(Spelling(legacy, Unit.RATIO), Spelling(renamed, Unit.RATIO), level, text)


GR_ENGINE: Final = _ratio(
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO",
    Level.COMPUTE_INSTANCE,
    "Share of time that the slice computed",
)
"""Relative to the slice: one that is always busy has 1, whatever its size (DCGM #138)."""
SM: Final = _ratio(
    "DCGM_FI_PROF_SM_ACTIVE",
    "DCGM_FI_PROF_SM_UTIL_RATIO",
    Level.COMPUTE_INSTANCE,
    "Share of cycles with work on the slice's SMs",
)
TENSOR: Final = _ratio(
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_PROF_TENSOR_UTIL_RATIO",
    Level.COMPUTE_INSTANCE,
    "Share of cycles with work for the slice's tensor cores",
)
DRAM: Final = _ratio(
    "DCGM_FI_PROF_DRAM_ACTIVE",
    "DCGM_FI_PROF_DRAM_UTIL_RATIO",
    Level.GPU_INSTANCE,
    "Share of cycles with traffic to the slice's memory",
)
# The bytes are in NVIDIA's page "Field Identifiers" for DCGM 4.7 (1626 and 1627), of which only a report could be read;
# the notes of dcgm-exporter 4.9.0 name DCGM_FI_DEV_FB_CAPACITY_BYTES (1625) alone.
FB_USED: Final = Field(
    Spelling("DCGM_FI_DEV_FB_USED", Unit.MIB),
    Spelling("DCGM_FI_DEV_FB_USED_BYTES", Unit.BYTES, proven=False),
    Level.COMPUTE_INSTANCE,
    "Memory used on the slice",
)
FB_FREE: Final = Field(
    Spelling("DCGM_FI_DEV_FB_FREE", Unit.MIB),
    Spelling("DCGM_FI_DEV_FB_FREE_BYTES", Unit.BYTES, proven=False),
    Level.COMPUTE_INSTANCE,
    "Memory free on the slice",
)
XID: Final = Field(
    Spelling("DCGM_FI_DEV_XID_ERRORS", Unit.CODE),
    Spelling("DCGM_FI_DEV_XID_ERROR", Unit.CODE),
    Level.COMPUTE_INSTANCE,
    "Last XID error; it stays until the next one",
)
POWER: Final = Field(
    Spelling("DCGM_FI_DEV_POWER_USAGE", Unit.WATTS),
    Spelling("DCGM_FI_DEV_BOARD_POWER_WATTS", Unit.WATTS),
    Level.BOARD,
    "Power of the whole board",
)
TEMPERATURE: Final = Field(
    Spelling("DCGM_FI_DEV_GPU_TEMP", Unit.CELSIUS),
    Spelling("DCGM_FI_DEV_GPU_TEMP_CELSIUS", Unit.CELSIUS),
    Level.BOARD,
    "Temperature of the whole GPU",
)
MEMORY_CLOCK: Final = Field(
    Spelling("DCGM_FI_DEV_MEM_CLOCK", Unit.MEGAHERTZ),
    Spelling("DCGM_FI_DEV_MEMORY_CLOCK_HERTZ", Unit.HERTZ),
    Level.BOARD,
    "Memory clock of the whole GPU",
)
MIG_MODE: Final = Field(
    Spelling("DCGM_FI_DEV_MIG_MODE", Unit.CODE),
    Spelling("DCGM_FI_DEV_MIG_MODE", Unit.CODE),
    Level.BOARD,
    "1 if MIG is on",
)
MIG_MAX_SLICES: Final = Field(
    Spelling("DCGM_FI_DEV_MIG_MAX_SLICES", Unit.COUNT),
    Spelling("DCGM_FI_DEV_MIG_MAX_SLICES", Unit.COUNT),
    Level.BOARD,
    "Most GPU instances that the GPU can have; 0 if MIG is off",
)

LISTED: Final = (
    GR_ENGINE,
    SM,
    TENSOR,
    DRAM,
    FB_USED,
    FB_FREE,
    XID,
    POWER,
    TEMPERATURE,
    MEMORY_CLOCK,
    MIG_MODE,
    MIG_MAX_SLICES,
)
"""The fields of our lists, in their order."""


def _blank(legacy: str, renamed: str, text: str) -> Field:
    return Field(Spelling(legacy, Unit.PERCENT), Spelling(renamed, Unit.RATIO), Level.BLANK, text)


BLANK: Final = (
    _blank("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_UTIL_RATIO", "Utilization of a GPU without MIG"),
    _blank("DCGM_FI_DEV_MEM_COPY_UTIL", "DCGM_FI_DEV_MEMORY_UTIL_RATIO", "Memory utilization of a GPU without MIG"),
    _blank("DCGM_FI_DEV_ENC_UTIL", "DCGM_FI_DEV_ENC_UTIL_RATIO", "Encoder utilization of a GPU without MIG"),
    _blank("DCGM_FI_DEV_DEC_UTIL", "DCGM_FI_DEV_DEC_UTIL_RATIO", "Decoder utilization of a GPU without MIG"),
)
"""Never listed, and never to be used for a slice."""
