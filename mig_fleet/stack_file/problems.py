"""The mistakes that pydantic finds, each with its path, the value that was found, and what would work."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from mig_fleet.confidential import is_contents
from mig_fleet.documents import EXPECTED
from mig_fleet.model.finding import Finding
from mig_fleet.model.short_repr import format_found
from mig_fleet.model.suggestions import suggestion_or_known
from mig_fleet.stack_file.invalid_settings import InvalidSettings as InvalidSettings

HIDDEN = "hidden_value"
"""The error type for a value that may be a credential; the message leaves the value out."""

REPLACED = {"monitoring.dashboard": "was replaced; set `dashboards: sidecar` or `dashboards: none`"}
"""A former key → what to write instead."""


def from_pydantic(
    error: ValidationError, model: type[BaseModel], secrets: Container[str] = frozenset()
) -> list[Finding]:
    """The errors of pydantic as findings.

    Each includes the value that was found, unless its section is in ``secrets``. An unknown key comes with the most
    similar known key.
    """
    return [_finding(details, model, secrets) for details in error.errors(include_url=False)]


def path_of(parts: Iterable[str | int]) -> str:
    """``pools.inference.nodes[0]``"""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _finding(details: ErrorDetails, model: type[BaseModel], secrets: Container[str]) -> Finding:
    path = details["loc"]
    if details["type"] == "extra_forbidden":
        if replaced := REPLACED.get(path_of(path)):
            return Finding(path_of(path), replaced)
        known = _keys_at(model, path[:-1])
        if to_camel(str(path[-1])) in known:
            return Finding(path_of(path), f"is given twice, the other time as '{to_camel(str(path[-1]))}'; remove one")
        return Finding(path_of(path), f"unknown key; {suggestion_or_known(str(path[-1]), known)}")
    if path[-1] == "[key]" or details["type"] == "invalid_key":
        path = path[:-1] if path[-1] == "[key]" else path
        return Finding(path_of(path), f"the key must be text, such as '{path[-1]}'")
    if details["type"] == "missing":
        return Finding(path_of(path), "is missing")
    text = EXPECTED.get(details["type"]) or _sentence(details["msg"])
    if details["type"] == "string_type" and isinstance(details["input"], Mapping | list):
        text = f"must be text, not a {'list' if isinstance(details['input'], list) else 'mapping'}"
    if details["type"] == "model_type" and (known := _keys_at(model, path)):
        text += f"; its keys: {', '.join(known)}"
    hidden = details["type"] == HIDDEN or str(path[0]) in secrets or _may_be_kubeconfig(path[0], details["input"])
    found = "" if hidden else format_found(details["input"])
    return Finding(path_of(path), f"{text}{found}")


def _may_be_kubeconfig(section: str | int, value: object) -> bool:
    """Whether a value of the section ``cluster`` may be the contents of a kubeconfig, also parsed or in a list."""
    return section == "cluster" and (
        isinstance(value, Mapping | list) or (isinstance(value, str) and is_contents(value))
    )


def _sentence(message: str) -> str:
    """Pydantic's text without a capital, as it follows a path."""
    text = message.removeprefix("Value error, ").removeprefix("Input ").replace("should ", "must ")
    return f"{text[0].lower()}{text[1:]}"


def _keys_at(model: type[BaseModel], path: Iterable[str | int]) -> list[str]:
    """The keys that the mapping at a path may have."""
    here: Any = model
    for part in path:
        by_alias = {field.alias or name: field.annotation for name, field in _fields(here).items()}
        here = by_alias.get(str(part), _member(here))
    return sorted(field.alias or name for name, field in _fields(here).items())


def _fields(annotation: Any) -> Mapping[str, Any]:
    return getattr(annotation, "model_fields", None) or getattr(_member(annotation), "model_fields", {})


def _member(annotation: Any) -> Any:
    """The model inside ``dict[str, Model]`` or ``Model | None``."""
    arguments = getattr(annotation, "__args__", ())
    return next((a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)), None)
