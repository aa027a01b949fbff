"""What a policy decides about facts: the verdict that a person reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mig_fleet.model.finding import Finding, Level
from mig_fleet.policies.configuration import Configured
from mig_fleet.policies.policy import Enforcement, Policy


class Decision(StrEnum):
    """The decision of one policy."""

    KEPT = "kept"
    BROKEN = "broken"
    UNPROVEN = "unproven"
    """Something that it needs is not known: without the cluster, or in a preview."""
    OFF = "off"
    """It is disabled, or a parameter that it needs is not set."""


@dataclass(frozen=True)
class Verdict:
    """One policy, its configuration and its decision."""

    policy: Policy[Any, Any]
    configured: Configured
    decision: Decision
    findings: tuple[Finding, ...] = ()

    @property
    def is_denial(self) -> bool:
        """Whether Pulumi would refuse the update."""
        return self.decision is Decision.BROKEN and self.configured.level is Enforcement.MANDATORY


def decide(
    policies: Iterable[Policy[Any, Any]], configuration: Mapping[str, Configured], facts: Mapping[type, Iterable[Any]]
) -> list[Verdict]:
    """The verdict of each policy about all facts of its kind. ``facts`` are by their type."""
    return [_decide(policy, configuration[policy.name], facts.get(policy.facts, ())) for policy in policies]


def _decide(policy: Policy[Any, Any], configured: Configured, facts: Iterable[Any]) -> Verdict:
    is_on = policy.is_configured(policy.parameters.read(configured.parameters))
    if configured.level is Enforcement.DISABLED or not is_on:
        return Verdict(policy, configured, Decision.OFF)
    found = tuple(finding for each in facts for finding in policy.findings(each, configured.parameters))
    levels = {finding.level for finding in found}
    if levels - {Level.UNPROVEN}:
        return Verdict(policy, configured, Decision.BROKEN, found)
    return Verdict(policy, configured, Decision.UNPROVEN if levels else Decision.KEPT, found)
