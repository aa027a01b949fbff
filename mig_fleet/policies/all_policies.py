"""All policies. A new one is a module of its own with a ``POLICY``, and one line here."""

from typing import Any, Final

from mig_fleet.policies import (
    blast_radius_limited,
    budget_kept,
    canary_required,
    change_freeze,
    chart_version_not_known_bad,
    chart_version_pinned,
    config_map_is_ours,
    dra_driver_is_static,
    driver_serves_gpu,
    enough_whole_gpus,
    eviction_restricted,
    gpu_models_approved,
    layout_file_is_sound,
    layout_fits_gpu,
    max_unavailable_limited,
    monitoring_present,
    no_inline_credentials,
    no_slices,
    no_whole_gpus,
    operator_serves_layouts,
    profiles_approved,
    requests_offered,
    strategy_serves_pools,
    verification_present,
)
from mig_fleet.policies.policy import Policy

POLICIES: Final[tuple[Policy[Any, Any], ...]] = (
    layout_fits_gpu.POLICY,
    layout_file_is_sound.POLICY,
    strategy_serves_pools.POLICY,
    config_map_is_ours.POLICY,
    driver_serves_gpu.POLICY,
    operator_serves_layouts.POLICY,
    dra_driver_is_static.POLICY,
    chart_version_not_known_bad.POLICY,
    chart_version_pinned.POLICY,
    verification_present.POLICY,
    requests_offered.POLICY,
    no_inline_credentials.POLICY,
    monitoring_present.POLICY,
    gpu_models_approved.POLICY,
    profiles_approved.POLICY,
    no_whole_gpus.POLICY,
    no_slices.POLICY,
    enough_whole_gpus.POLICY,
    canary_required.POLICY,
    max_unavailable_limited.POLICY,
    blast_radius_limited.POLICY,
    eviction_restricted.POLICY,
    budget_kept.POLICY,
    change_freeze.POLICY,
)
"""First those that need no configuration."""
