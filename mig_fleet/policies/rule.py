"""The names of the rules."""

from enum import StrEnum


class Rule(StrEnum):
    """A policy of the policy pack has the same name as the rule that it enforces."""

    FITS = "mig-layout-fits-gpu"
    MODEL = "mig-layout-matches-pool-gpu"
    COVERED = "mig-every-gpu-covered"
    STRATEGY = "mig-strategy-serves-pools"
    CONFIG_MAP = "mig-config-map-is-ours"
    FILE = "mig-layout-file-is-sound"
