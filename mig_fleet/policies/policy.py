"""A policy: a rule with everything that a user reads about it.

The policy pack, the JSON schema of its configuration, docs/reference/policies.md and `mig-fleet policies` are made of
these.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mig_fleet.model.finding import Finding
from mig_fleet.policies.no_parameters import NoParameters
from mig_fleet.policies.rule import Rule

if TYPE_CHECKING:  # it needs pydantic, which a program does without
    from mig_fleet.policies.parameters import Parameters

PAGE = "https://github.com/mig-fleet/mig-fleet/blob/main/docs/reference/policies.md"

F = TypeVar("F")
P = TypeVar("P", bound="Parameters | NoParameters")


class Enforcement(StrEnum):
    """What Pulumi does with a violation, by the words of its configuration; there is no remediation here."""

    MANDATORY = "mandatory"
    """The preview and the update fail."""
    ADVISORY = "advisory"
    """It is a warning."""
    DISABLED = "disabled"


class Severity(StrEnum):
    """How much harm a violation does, by Pulumi's words."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Policy(Generic[F, P]):
    """``check`` is pure: facts of type ``facts`` and the parameters in, one finding for each violation out.

    A finding's text is a sentence without its first capital letter and its full stop.
    """

    name: Rule
    title: str
    """The name as a person reads it."""
    sentence: str
    """What must be so, and what happens otherwise."""
    facts: type[F]
    check: Callable[[F, P], list[Finding]]
    remedy: str
    unknown: str
    """What happens if a value that it needs is not known in a preview."""
    parameters: type[P] = NoParameters  # type: ignore[assignment]  # of a policy without parameters, P is NoParameters
    needs: tuple[str, ...] = ()
    """Parameters of which at least one must be set; until then the policy checks nothing."""
    level: Enforcement = Enforcement.MANDATORY
    severity: Severity = Severity.HIGH
    tags: tuple[str, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    """A configuration, by the names of the file."""

    @property
    def url(self) -> str:
        return f"{PAGE}#{self.name}"

    def is_configured(self, parameters: P) -> bool:
        """Whether it has what it needs to check anything."""
        values = parameters.model_dump(by_alias=True)
        return not self.needs or any(values[name] not in (None, ()) for name in self.needs)

    def findings(self, facts: F, config: Mapping[str, Any]) -> list[Finding]:
        """The violations under this configuration; raises
        :class:`~mig_fleet.policies.parameters.InvalidParameters`.
        """
        parameters: Any = self.parameters.read(config)  # a P; mypy loses that in the union
        return self.check(facts, parameters) if self.is_configured(parameters) else []


def without_parameters(check: Callable[[F], list[Finding]]) -> Callable[[F, NoParameters], list[Finding]]:
    """The check of a rule that has no parameters, as a :class:`Policy` calls it."""
    return lambda facts, _: check(facts)
