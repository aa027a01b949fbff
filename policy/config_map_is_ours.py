"""mig-config-map-is-ours: MIG Manager must not read a ConfigMap that the operator overwrites."""

from collections.abc import Mapping
from typing import Any

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from mig_fleet.policies.config_map_is_ours import check
from mig_fleet.policies.rule import Rule

RELEASE = "kubernetes:helm.sh/v3:Release"
CLUSTER_POLICY = "kubernetes:nvidia.com/v1:ClusterPolicy"
CHART_KEYS = {RELEASE: "values", CLUSTER_POLICY: "spec"}
"""Resource type → the key under which it names MIG Manager's ConfigMap: the values of a release, or the ClusterPolicy
that the chart makes of them."""


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Called for every resource of a preview and an update."""
    key = CHART_KEYS.get(args.resource_type)
    name = _config_map(args.props, key) if key else None
    for conflict in check(name) if isinstance(name, str) else ():
        kind = args.resource_type.rpartition(":")[2]
        report(f"{kind} '{args.name}' must name a ConfigMap of its own: {conflict.text}.", args.urn)


def _config_map(props: Mapping[str, Any], key: str) -> object:
    here: Any = props
    for step in (key, "migManager", "config", "name"):
        here = here.get(step) if isinstance(here, Mapping) else None
    return here


policy = ResourceValidationPolicy(
    name=str(Rule.CONFIG_MAP),
    description="A GPU Operator release must not let MIG Manager read the ConfigMap that the operator itself writes "
    "(gpu-operator #384, #249, #281): edits there are lost.",
    validate=validate,
    enforcement_level=EnforcementLevel.MANDATORY,
)
