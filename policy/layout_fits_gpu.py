"""mig-layout-fits-gpu: the layout of a wave must fit the wave's GPUs."""

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from mig_fleet.policies.layout_fits_gpu import check
from mig_fleet.policies.rule import Rule
from mig_fleet.policy.waves import report_conflicts


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Called for every resource of a preview and an update."""
    report_conflicts(check, args, report)


policy = ResourceValidationPolicy(
    name=str(Rule.FITS),
    description="A wave must use a layout whose slices can be placed on its GPUs. NVIDIA's tools accept an impossible "
    "layout, destroy the existing slices, create none and report success.",
    validate=validate,
    enforcement_level=EnforcementLevel.MANDATORY,
)
