"""Makes Pulumi's policies of ours: the same names, levels, parameters and sentences."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from mig_fleet.model.errors import MigError
from mig_fleet.model.finding import Finding
from mig_fleet.policies.all_policies import POLICIES
from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.config_map_facts import ConfigMapText
from mig_fleet.policies.credential_facts import PlainTexts
from mig_fleet.policies.parameters import InvalidParameters
from mig_fleet.policies.policy import Policy
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.wave_facts import WaveFacts
from mig_fleet.policy import objects
from mig_fleet.policy.program import Registered, pools, program, waves

PulumiPolicy = ResourceValidationPolicy | StackValidationPolicy

READERS: Final[Mapping[type, Callable[[Registered], Iterable[Any]]]] = {
    PoolFacts: pools,
    WaveFacts: waves,
    ChartFacts: lambda it: objects.read_chart(it.resource_type, it.name, it.props),
    ConfigMapText: lambda it: objects.read_texts(it.resource_type, it.name, it.props),
    PlainTexts: lambda it: objects.read_credentials(it.resource_type, it.name, it.props),
}
"""Kind of facts → how they are read from one resource. What needs several resources reads the whole program."""


def every_pulumi_policy() -> list[PulumiPolicy]:
    return [as_pulumi_policy(policy) for policy in POLICIES]


def as_pulumi_policy(policy: Policy[Any, Any]) -> PulumiPolicy:
    """A rule about one resource is checked before the resource changes, in the update, too. One about the whole program
    is checked at the end of the preview; in an update that is after the change.
    """
    properties = policy.parameters.properties()
    described: dict[str, Any] = {
        "name": str(policy.name),
        "description": policy.sentence,
        "enforcement_level": EnforcementLevel(policy.level),
        "config_schema": PolicyConfigSchema(properties) if properties else None,
        "display_name": policy.title,
        "severity": Severity(policy.severity),
        "tags": ["mig", *policy.tags],
        "remediation_steps": policy.remedy,
        "url": policy.url,
    }
    if policy.facts is ProgramFacts:

        def validate_stack(args: StackValidationArgs, report: ReportViolation) -> None:
            urns = {each.name: each.urn for each in args.resources}
            for finding in _findings(policy, [program(args.resources)], args.get_config()):
                report(_sentence(finding), urns.get(finding.path))

        return StackValidationPolicy(validate=validate_stack, **described)
    read = READERS[policy.facts]

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for finding in _findings(policy, read(args), args.get_config()):
            report(_sentence(finding), args.urn)

    return ResourceValidationPolicy(validate=validate, **described)


def _findings(policy: Policy[Any, Any], facts: Iterable[Any], config: Mapping[str, Any]) -> list[Finding]:
    """All findings; a configuration or a profile that cannot be used is one, too, and switches nothing off."""
    try:
        return [finding for each in facts for finding in policy.findings(each, config)]
    except InvalidParameters as exc:
        return [Finding("", f"the configuration of {policy.name} must be one that it can use: {exc}", policy.name)]
    except MigError as exc:
        return [Finding("", f"the wave must use profiles that its GPU model has: {exc}", policy.name)]


def _sentence(finding: Finding) -> str:
    return f"{finding.text[0].upper()}{finding.text[1:]}."
