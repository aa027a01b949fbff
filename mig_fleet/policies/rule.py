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
    APPROVED_MODELS = "mig-gpu-models-approved"
    APPROVED_PROFILES = "mig-profiles-approved"
    NO_WHOLE_GPUS = "mig-no-whole-gpus"
    NO_SLICES = "mig-no-slices"
    ENOUGH_WHOLE_GPUS = "mig-enough-whole-gpus"
    CANARY = "mig-canary-required"
    MAX_UNAVAILABLE = "mig-max-unavailable-limited"
    BLAST_RADIUS = "mig-blast-radius-limited"
    EVICTION = "mig-eviction-restricted"
    VERIFICATION = "mig-verification-present"
    CHART_PINNED = "mig-chart-version-pinned"
    CHART_KNOWN_BAD = "mig-chart-version-not-known-bad"
    DRIVER = "mig-driver-serves-gpu"
    OPERATOR = "mig-operator-serves-layouts"
    STATIC_DRA = "mig-dra-driver-is-static"
    MONITORING = "mig-monitoring-present"
    BUDGET = "mig-budget-kept"
    FREEZE = "mig-change-freeze"
    REQUESTS = "mig-requests-offered"
    CREDENTIALS = "mig-no-inline-credentials"
