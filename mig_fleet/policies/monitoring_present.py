"""mig-monitoring-present: a program with waves has alert rules."""

from mig_fleet.model.finding import Finding
from mig_fleet.policies.policy import Enforcement, Policy, Severity, without_parameters
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.rule import Rule


def check(program: ProgramFacts) -> list[Finding]:
    if program.is_monitored or not (program.waves or program.unread):
        return []
    text = "the stack must have alert rules for its slices; set `monitoring.rules` to `prometheusRule` or `configMap`"
    return [Finding("", text, Rule.MONITORING)]


POLICY = Policy(
    name=Rule.MONITORING,
    title="Monitoring present",
    sentence="A stack with waves must have alert rules.",
    facts=ProgramFacts,
    check=without_parameters(check),
    remedy="Set `monitoring.rules`, use the component `Monitoring`, or register a PrometheusRule.",
    unknown="decided by the types and names of the resources, which are always known",
    level=Enforcement.ADVISORY,
    severity=Severity.MEDIUM,
    tags=("monitoring",),
)
