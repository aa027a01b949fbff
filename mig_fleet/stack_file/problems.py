"""All mistakes of a stack file, each at its path, with what was found and what would work."""

import difflib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mig_fleet.model.errors import shown

UNSHOWN = "unshown"
"""The type of an error about a value that may be a credential."""


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: where the person typed it, and one sentence. ``unproven`` is one that no source settles."""

    path: str
    text: str
    unproven: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class InvalidSettings(ValueError):
    """A stack file that cannot be used; ``problems`` holds every mistake found in it."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source, self.problems = source, tuple(sorted(set(problems)))
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        return f"{self.source} has {len(self.problems)} problem(s):\n{lines}"


def from_pydantic(
    error: ValidationError, model: type[BaseModel], secrets: Container[str] = frozenset()
) -> list[Problem]:
    """Pydantic's findings in our words: the value found, unless its section is secret, and the nearest key where one is
    unknown.
    """
    return [_problem(details, model, secrets) for details in error.errors(include_url=False)]


def as_found(value: object) -> str:
    """`` (found 'x')``. What is wrong with an object as a whole is said by its keys, which stand in the file."""
    return "" if isinstance(value, Mapping) else f" (found {shown(value)})"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'layout'?`` or the list of what there is."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"there is {', '.join(choices) or 'none'}"


def path_of(parts: Iterable[str | int]) -> str:
    """``pools.inference.nodes[0]``"""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _problem(details: ErrorDetails, model: type[BaseModel], secrets: Container[str]) -> Problem:
    path = details["loc"]
    if details["type"] == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        return Problem(path_of(path), f"unknown key; {did_you_mean(str(path[-1]), known)}")
    if details["type"] == "missing":
        return Problem(path_of(path), "is missing")
    text = details["msg"].removeprefix("Value error, ")
    hidden = details["type"] == UNSHOWN or str(path[0]) in secrets
    return Problem(path_of(path), f"{text[0].lower()}{text[1:]}{'' if hidden else as_found(details['input'])}")


def _keys_at(model: type[BaseModel], path: Iterable[str | int]) -> list[str]:
    """The keys that the object at a path may have."""
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
