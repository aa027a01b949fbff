"""The catalog of GPU models that do MIG: facts as data, one TOML file per model, each fact with its source.

``sources.toml`` names what the source keys stand for. Nothing in the catalog was verified by us on a GPU:
``confidence`` and ``placement_confidence`` say where a row comes from, ``disagreements`` what its sources do not agree
on, ``alternate_names`` what other boards or drivers call a profile.
"""

from mig_fleet.model.gpus.evidence import Evidence, Geometry, Naming, Places
from mig_fleet.model.gpus.lookup import all_models, by_pci, find, names, sources
from mig_fleet.model.gpus.meanings import find_profile, meanings
from mig_fleet.model.gpus.model import AlternateName, ComputeInstance, Engines, GpuModel, GpuProfile

__all__ = [
    "AlternateName",
    "ComputeInstance",
    "Engines",
    "Evidence",
    "Geometry",
    "GpuModel",
    "GpuProfile",
    "Naming",
    "Places",
    "all_models",
    "by_pci",
    "find",
    "find_profile",
    "meanings",
    "names",
    "sources",
]
