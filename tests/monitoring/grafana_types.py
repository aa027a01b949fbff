"""Grafana's model of a dashboard as a schema: the types that grafana-foundation-sdk generates from it.

Its repository also has the model as a JSON schema, ``jsonschema/dashboard.jsonschema.json``, but no package carries it,
and it takes the values of overrides, which may be anything, for objects.
"""

import json
import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mig_fleet.monitoring.dashboards.board import encoded
from mig_fleet.monitoring.dashboards.sdk import models


def problems(text: str) -> list[str]:
    """What Grafana's model does not know, or has with another type; empty for a valid dashboard."""
    from grafana_foundation_sdk.cog.plugins import register_default_plugins

    register_default_plugins()  # the options and queries of each kind of panel
    data = json.loads(text)
    read = models.Dashboard.from_json(data)
    return [*_lost(data, json.loads(encoded(read)), "dashboard"), *_mistyped(read, "dashboard")]


def _lost(before: Any, after: Any, path: str) -> Iterator[str]:
    """Keys and values that a reader which knows only the model loses."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            if key not in after:
                yield f"{path}.{key} is not in the model"
            elif key in before:
                yield from _lost(before[key], after[key], f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _lost(one, other, f"{path}[{index}]")
    elif before != after:
        yield f"{path} is {before!r}, and read as {after!r}"


def _mistyped(value: Any, path: str) -> Iterator[str]:
    """Attributes whose value does not have the type that the model declares."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _mistyped(each, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _mistyped(each, f"{path}.{key}")
    elif type(value).__module__.startswith("grafana_foundation_sdk.models"):
        for name, declared in get_type_hints(type(value)).items():
            found = getattr(value, name)
            if not _fits(found, declared):
                yield f"{path}.{name} is {found!r}, not {declared}"
            yield from _mistyped(found, f"{path}.{name}")


def _fits(value: Any, declared: Any) -> bool:
    origin, arguments = get_origin(declared), get_args(declared)
    if declared in (Any, object):
        return True
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if origin is list:
        return isinstance(value, list) and all(_fits(each, arguments[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(each, arguments[1]) for each in value.values())
    if isinstance(value, dict) and hasattr(declared, "from_json"):  # the SDK does not read transformations
        read = declared.from_json(value)
        return not [*_lost(value, json.loads(encoded(read)), ""), *_mistyped(read, "")]
    if isinstance(declared, type) and issubclass(declared, Enum):
        return value in {member.value for member in declared}
    if declared is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if declared is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, declared)
