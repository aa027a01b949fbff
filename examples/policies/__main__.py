"""All policies of mig-fleet, and two of our own."""

from every_pool_is_ours import every_pool_is_ours
from no_stranded_pods import no_stranded_pods
from pulumi_policy import PolicyPack

from mig_fleet.policy.pulumi_policies import every_pulumi_policy
from mig_fleet.policy.secret_text import mark_secrets

mark_secrets()
PolicyPack("our-gpus", policies=[*every_pulumi_policy(), every_pool_is_ours, no_stranded_pods])
