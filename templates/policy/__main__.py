"""All policies of mig-fleet, and one of our own."""

from pools_name_their_team import pools_name_their_team
from pulumi_policy import PolicyPack

from mig_fleet.policy.pulumi_policies import every_pulumi_policy
from mig_fleet.policy.secret_text import mark_secrets

mark_secrets()
PolicyPack("our-gpus", policies=[*every_pulumi_policy(), pools_name_their_team])
