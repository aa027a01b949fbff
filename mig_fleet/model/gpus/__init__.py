"""The catalog of GPU models that support MIG: facts as data, one TOML file per model, each fact with its source.

``sources.toml`` resolves the keys of the sources. We verified nothing in the catalog on a GPU: ``confidence`` and
``placement_confidence`` state the source of a row, ``disagreements`` where its sources contradict each other,
``alternate_names`` the names that other boards or drivers report for a profile.

Data flows one way: values (model, evidence) → suggestions for wrong names (hints) and files (checks, loader) →
look-ups (lookup, meanings).
"""

from mig_fleet.model.gpus.evidence import Evidence, Geometry, Naming, Places
from mig_fleet.model.gpus.lookup import all_models, by_board, by_pci, find, profile_of, sources
from mig_fleet.model.gpus.meanings import find_profile, meanings
from mig_fleet.model.gpus.model import AlternateName, ComputeInstance, Engines, GpuModel, GpuProfile, OtherBoard

__all__ = [
    "AlternateName",
    "ComputeInstance",
    "Engines",
    "Evidence",
    "Geometry",
    "GpuModel",
    "GpuProfile",
    "Naming",
    "OtherBoard",
    "Places",
    "all_models",
    "by_board",
    "by_pci",
    "find",
    "find_profile",
    "meanings",
    "profile_of",
    "sources",
]
