"""mig-config-map-is-ours: MIG Manager must not read a ConfigMap that the operator overwrites."""

from collections.abc import Mapping
from typing import Any

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from mig.rules import Rule, config_map_is_ours

RELEASE = "kubernetes:helm.sh/v3:Release"


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Called for every resource of a preview and an update."""
    name = _layout_file(args.props) if args.resource_type == RELEASE else None
    for conflict in config_map_is_ours(name) if isinstance(name, str) else ():
        report(f"Release '{args.name}' must name a ConfigMap of its own: {conflict.text}.", args.urn)


def _layout_file(props: Mapping[str, Any]) -> object:
    here: Any = props
    for key in ("values", "migManager", "config", "name"):
        here = here.get(key) if isinstance(here, Mapping) else None
    return here


policy = ResourceValidationPolicy(
    name=str(Rule.CONFIG_MAP),
    description="A GPU Operator release must not let MIG Manager read the ConfigMap that the operator itself writes "
    "(gpu-operator #384, #249, #281): edits there are lost.",
    validate=validate,
    enforcement_level=EnforcementLevel.MANDATORY,
)
