"""mig-strategy-serves-pools: the cluster's MIG strategy must serve every layout."""

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from mig_fleet.policies.rule import Rule
from mig_fleet.policies.strategy_serves_pools import check
from mig_fleet.policy.waves import report_conflicts


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Called for every resource of a preview and an update."""
    report_conflicts(check, args, report)


policy = ResourceValidationPolicy(
    name=str(Rule.STRATEGY),
    description="A wave must suit the cluster's MIG strategy: single needs one profile per node and MIG on all of its "
    "GPUs, none needs MIG off; otherwise the device plugin advertises nothing.",
    validate=validate,
    enforcement_level=EnforcementLevel.MANDATORY,
)
