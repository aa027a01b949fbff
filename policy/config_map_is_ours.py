"""mig-config-map-is-ours: MIG Manager must not read a ConfigMap that the operator overwrites."""

from collections.abc import Mapping
from typing import Any

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from mig_fleet.policies.rules import Rule, config_map_is_ours

RELEASE = "kubernetes:helm.sh/v3:Release"
CLUSTER_POLICY = "kubernetes:nvidia.com/v1:ClusterPolicy"
WHERE = {RELEASE: "values", CLUSTER_POLICY: "spec"}
"""Under which key a release's values, or what a chart made of them, name MIG Manager's ConfigMap."""


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Called for every resource of a preview and an update."""
    where = WHERE.get(args.resource_type)
    name = _layout_file(args.props, where) if where else None
    for conflict in config_map_is_ours(name) if isinstance(name, str) else ():
        kind = args.resource_type.rpartition(":")[2]
        report(f"{kind} '{args.name}' must name a ConfigMap of its own: {conflict.text}.", args.urn)


def _layout_file(props: Mapping[str, Any], where: str) -> object:
    here: Any = props
    for key in (where, "migManager", "config", "name"):
        here = here.get(key) if isinstance(here, Mapping) else None
    return here


policy = ResourceValidationPolicy(
    name=str(Rule.CONFIG_MAP),
    description="A GPU Operator release must not let MIG Manager read the ConfigMap that the operator itself writes "
    "(gpu-operator #384, #249, #281): edits there are lost.",
    validate=validate,
    enforcement_level=EnforcementLevel.MANDATORY,
)
