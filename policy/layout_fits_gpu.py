"""mig-layout-fits-gpu: a layout must fit the GPUs it is for."""

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from mig_fleet.policies.rules import Rule
from mig_fleet.policy.waves import report_conflicts


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Called for every resource of a preview and an update."""
    report_conflicts(Rule.FITS, args, report)


policy = ResourceValidationPolicy(
    name=str(Rule.FITS),
    description="A wave must use a layout whose slices can be placed on its GPUs. NVIDIA's tools accept one that "
    "cannot, destroy the slices there are, create none and report success.",
    validate=validate,
    enforcement_level=EnforcementLevel.MANDATORY,
)
