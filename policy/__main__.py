"""The policy pack. `pulumi preview --policy-pack policy` runs it beside the program."""

from pulumi_policy import EnforcementLevel, PolicyPack

from mig_fleet.policy.pulumi_policies import every_pulumi_policy
from mig_fleet.policy.secret_text import mark_secrets

mark_secrets()
PolicyPack(
    "mig-fleet",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[*every_pulumi_policy()],
)
