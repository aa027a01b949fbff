"""The configuration of the policy pack, as `pulumi preview --policy-pack-config` takes it: name → level and parameters.

Pulumi itself ignores a name that no policy has, and a parameter that is in no schema; here both are mistakes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mig_fleet.model.finding import Finding
from mig_fleet.model.short_repr import format_found
from mig_fleet.model.suggestions import suggestion_or_known
from mig_fleet.policies.parameters import InvalidParameters
from mig_fleet.policies.policy import Enforcement, Policy

ALL = "all"
"""Sets the level of every policy; a policy's own entry has priority."""
LEVEL = "enforcementLevel"


class InvalidConfiguration(ValueError):
    """``problems`` has every mistake, by the path of its key."""

    def __init__(self, problems: Iterable[Finding]) -> None:
        super().__init__(tuple(problems))
        self.problems: tuple[Finding, ...] = self.args[0]

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


@dataclass(frozen=True, slots=True)
class Configured:
    """What is configured for one policy."""

    level: Enforcement
    parameters: Mapping[str, Any] = field(default_factory=dict)


def configured(policies: Iterable[Policy[Any, Any]], data: object) -> dict[str, Configured]:
    """Policy → its level and parameters, from the file as plain data; raises :class:`InvalidConfiguration`."""
    known, problems = {str(policy.name): policy for policy in policies}, list[Finding]()
    entries = data if isinstance(data, Mapping) else {}
    if not isinstance(data, Mapping | None):
        problems.append(Finding("", f"must be an object of policies{format_found(data)}"))
    for name in entries.keys() - known.keys() - {ALL}:
        problems.append(Finding(str(name), f"there is no such policy; {suggestion_or_known(str(name), known)}"))
    of_all = _level(ALL, entries.get(ALL), problems)
    found = {}
    for name, policy in known.items():
        entry = entries.get(name)
        parameters = {key: value for key, value in entry.items() if key != LEVEL} if isinstance(entry, Mapping) else {}
        found[name] = Configured(_level(name, entry, problems) or of_all or policy.level, parameters)
        try:
            policy.parameters.read(parameters)
        except InvalidParameters as exc:
            problems.append(Finding(name, str(exc)))
    if problems:
        raise InvalidConfiguration(sorted(problems))
    return found


def _level(name: str, entry: object, problems: list[Finding]) -> Enforcement | None:
    """The level of an entry, which is the level alone or an object; None if it sets none."""
    if entry is not None and not isinstance(entry, Mapping | str):
        problems.append(Finding(name, f"must be a level, or an object with parameters{format_found(entry)}"))
    level = entry.get(LEVEL) if isinstance(entry, Mapping) else entry
    if not isinstance(level, str):
        return None
    # No policy here changes a resource: Pulumi treats this level as mandatory.
    level = Enforcement.MANDATORY if level == "remediate" else level
    if level in tuple(Enforcement):
        return Enforcement(level)
    problems.append(Finding(name, f"the level must be one of {', '.join(Enforcement)}{format_found(level)}"))
    return None
