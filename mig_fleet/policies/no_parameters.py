"""The parameters of a rule that has none. A program checks such rules in each preview, so this needs no pydantic."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from mig_fleet.model.suggestions import suggestion_or_known


class InvalidParameters(ValueError):
    """A configuration that the rule cannot use; the message has each key and what is allowed."""


class NoParameters:
    """What a :class:`~mig_fleet.policies.parameters.Parameters` without any field would be."""

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Self:
        """From a policy pack's configuration, without the enforcement level; raises :class:`InvalidParameters`."""
        if config:
            raise InvalidParameters("; ".join(no_such_parameter(key, ()) for key in config))
        return cls()

    @classmethod
    def properties(cls) -> dict[str, dict[str, Any]]:
        return {}

    def model_dump(self, *, by_alias: bool) -> dict[str, Any]:
        """As pydantic names it."""
        del by_alias
        return {}


def no_such_parameter(key: str, known: Iterable[str]) -> str:
    return f"{key}: there is no such parameter; {suggestion_or_known(key, known)}"
