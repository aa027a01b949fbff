"""How reliable the facts of the catalog are: fixed lists of values, strongest first."""

from enum import StrEnum


class Geometry(StrEnum):
    """Whether the sources of a model's placements are good enough to call a layout feasible."""

    ESTABLISHED = "established"
    UNVERIFIED = "unverified"


class Evidence(StrEnum):
    """The source of a model or a profile: a real board's ``nvidia-smi mig -lgip``, NVIDIA's documents and default
    configs, or similar boards.
    """

    OUTPUT = "lgip-output"
    DOCUMENT = "nvidia-doc"
    DERIVED = "derived"


class Places(StrEnum):
    """The source of placements: a real board's ``nvidia-smi mig -lgipp``, boards of the same generation, the
    fractions in NVIDIA's documents (the number of units on a real board is not published), or none.
    """

    OUTPUT = "lgipp-output"
    DERIVED = "derived"
    NORMALIZED = "derived-normalized"
    NONE = "none-published"


class Naming(StrEnum):
    """The source of product names."""

    SOURCED = "sourced"
    PCI_IDS = "pci.ids-derived"
    COMMON = "unsourced-common-knowledge"
    UNSOURCED = "unsourced"
