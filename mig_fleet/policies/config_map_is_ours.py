"""mig-config-map-is-ours: MIG Manager does not read the ConfigMap that the GPU Operator overwrites."""

from mig_fleet.model.finding import Finding
from mig_fleet.model.labels import LAYOUTS_CONFIG_MAP, OPERATOR_OWNED_CONFIG_MAP
from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.policy import Policy, Severity, without_parameters
from mig_fleet.policies.rule import Rule


def check(chart: ChartFacts) -> list[Finding]:
    """The name is no secret: the operator's own source has it."""
    if chart.config_map != OPERATOR_OWNED_CONFIG_MAP:
        return []
    text = (
        f"{chart.label} must name a ConfigMap of its own: the layouts' ConfigMap must not be {chart.config_map!r}, "
        f"which the GPU operator overwrites; use {LAYOUTS_CONFIG_MAP!r}"
    )
    return [Finding(chart.name, text, Rule.CONFIG_MAP)]


POLICY = Policy(
    name=Rule.CONFIG_MAP,
    title="MIG Manager reads our ConfigMap",
    sentence="A GPU Operator release must not let MIG Manager read the ConfigMap that the operator itself writes "
    "(gpu-operator #384, #249, #281): edits there are lost.",
    facts=ChartFacts,
    check=without_parameters(check),
    remedy="Remove `migManager.config.name` from the chart's values, so that mig-fleet sets it.",
    unknown="decided in the update, before the release is created or changed",
    severity=Severity.CRITICAL,
    tags=("operator",),
)
