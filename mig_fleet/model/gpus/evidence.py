"""How well the facts of the catalog are known: closed sets of words, strongest first."""

from enum import StrEnum


class Geometry(StrEnum):
    """Whether the placements of a model are known well enough to call a layout feasible."""

    ESTABLISHED = "established"
    UNVERIFIED = "unverified"


class Evidence(StrEnum):
    """Where a model or a profile comes from: a real board's ``nvidia-smi mig -lgip``, NVIDIA's documents and default
    configs, or boards alike.
    """

    OUTPUT = "lgip-output"
    DOCUMENT = "nvidia-doc"
    DERIVED = "derived"


class Places(StrEnum):
    """Where placements come from: a real board's ``nvidia-smi mig -lgipp``, boards of the same generation, the
    fractions in NVIDIA's documents (how many units a real board counts is not published), or nowhere.
    """

    OUTPUT = "lgipp-output"
    DERIVED = "derived"
    NORMALIZED = "derived-normalized"
    NONE = "none-published"


class Naming(StrEnum):
    """Where product names come from."""

    SOURCED = "sourced"
    PCI_IDS = "pci.ids-derived"
    COMMON = "unsourced-common-knowledge"
    UNSOURCED = "unsourced"
