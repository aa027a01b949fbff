"""The parameters of a rule: what a policy pack's configuration sets, read strictly and described as JSON schema."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from mig_fleet.documents import EXPECTED
from mig_fleet.model.short_repr import format_found
from mig_fleet.policies.no_parameters import InvalidParameters as InvalidParameters
from mig_fleet.policies.no_parameters import no_such_parameter

Unset = SkipJsonSchema[None]
"""A parameter without a value. The schema leaves it out, because a configuration leaves out the key."""
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Texts = tuple[str, ...]


class Parameters(BaseModel):
    """The base of every rule's parameters: frozen, closed, camelCase outside. Pulumi passes whole numbers as floats."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Self:
        """From a policy pack's configuration, without the enforcement level; raises :class:`InvalidParameters`."""
        try:
            return cls.model_validate(dict(config))
        except ValidationError as exc:
            # A parameter that may be unset is a union in pydantic, which also reports that the value is not None.
            errors = [error for error in exc.errors() if error["type"] != "none_required"]
            raise InvalidParameters("; ".join(map(cls._sentence, errors))) from None

    @classmethod
    def properties(cls) -> dict[str, dict[str, Any]]:
        """Parameter → its JSON schema, as a policy pack publishes it."""
        found: dict[str, dict[str, Any]] = cls.model_json_schema().get("properties", {})
        return {
            name: {key: value for key, value in each.items() if key != "title" and not (key == "default" and not value)}
            for name, each in found.items()
        }

    @classmethod
    def _sentence(cls, error: Any) -> str:
        key = ".".join(str(step) for number, step in enumerate(error["loc"]) if number == 0 or isinstance(step, int))
        if error["type"] == "extra_forbidden":
            return no_such_parameter(key, cls.properties())
        why = EXPECTED.get(error["type"]) or error["msg"].removeprefix("Value error, ")
        found = format_found(error["input"]) if key else ""
        return f"{key}{': ' if key else ''}{why[:1].lower()}{why[1:]}{found}"
