"""The policy pack. `pulumi preview --policy-pack policy` runs it beside the program."""

from pulumi_policy import EnforcementLevel, PolicyPack

from mig_fleet.policy import config_map_is_ours, layout_file_is_sound, layout_fits_gpu, strategy_serves_pools
from mig_fleet.policy.secret_text import mark_secrets

mark_secrets()
PolicyPack(
    "mig-fleet",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        layout_fits_gpu.policy,
        strategy_serves_pools.policy,
        config_map_is_ours.policy,
        layout_file_is_sound.policy,
    ],
)
