"""mig-chart-version-pinned: the GPU Operator's chart has one version."""

from mig_fleet.model.finding import Finding
from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.policy import Enforcement, Policy, Severity, without_parameters
from mig_fleet.policies.rule import Rule


def check(chart: ChartFacts) -> list[Finding]:
    """A chart in a folder or an archive has one version anyway."""
    unknown = chart.chart is None or chart.version is None
    if unknown or not chart.is_from_repository or chart.is_pinned:
        return []
    found = f"found {chart.version!r}" if chart.version and not chart.secret else "it is not set to one version"
    text = (
        f"{chart.label} must pin the version of its chart, such as v26.7.0, because previews differ otherwise; {found}"
    )
    return [Finding(chart.name, text, Rule.CHART_PINNED)]


POLICY = Policy(
    name=Rule.CHART_PINNED,
    title="Chart version pinned",
    sentence="A release of the GPU Operator must pin the version of its chart.",
    facts=ChartFacts,
    check=without_parameters(check),
    remedy="Set `operator.version` to one version.",
    unknown="decided in the update, before the release is created or changed",
    level=Enforcement.ADVISORY,
    severity=Severity.MEDIUM,
    tags=("operator",),
)
