"""What is wrong with the arguments of a component, by the annotations of their ``TypedDict``, in the words for a stack
file. :mod:`mig_fleet.components.checked_args` decides when that is asked.
"""

import collections.abc
import functools
import inspect
import operator
import types
import typing
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, is_typeddict

import pulumi
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
    create_model,
)
from pydantic.alias_generators import to_camel

from mig_fleet.components.cluster_input import ClusterInputArgs
from mig_fleet.components.layout_args import NamedLayoutArgs
from mig_fleet.components.plain_args import MUST_BE_KNOWN
from mig_fleet.components.resource import is_plugin
from mig_fleet.model.finding import Finding
from mig_fleet.model.layouts import Layout
from mig_fleet.stack_file.problems import from_pydantic, path_of
from mig_fleet.stack_file.scalars import LONGEST_INTERVAL_S, NodeCount, NodeName, Share

LOOKS_LIKE: Final = 'must look like {"name": "dense", "gpu": "H100-80GB", "all": {"1g.10gb": 7}}'
MAY_BE_SECRET: Final = frozenset({"values", "chart", "repository"})
"""Arguments whose values stay out of messages."""


def mistakes(args: object, kind: type) -> list[Finding]:
    """Every argument that is missing, unknown or of another type than ``kind``, a ``TypedDict``, says."""
    model = _model(kind)
    if not isinstance(args, Mapping):
        found = MUST_BE_KNOWN if isinstance(args, pulumi.Output) else "must be a mapping"
        return [Finding("args", f"{found}; its keys: {', '.join(model.model_fields)}")]
    try:
        model.model_validate(dict(args))
    except ValidationError as error:
        return _findings(error, model, MAY_BE_SECRET)
    return []


def _findings(error: ValidationError, model: type[BaseModel], secrets: Container[str]) -> list[Finding]:
    outputs = [path_of(each["loc"]) for each in error.errors() if isinstance(each["input"], pulumi.Output)]
    others = [each for each in from_pydantic(error, model, secrets) if each.path not in outputs]
    found = [*others, *(Finding(path, MUST_BE_KNOWN) for path in outputs)]
    return [replace(each, path=_as_in_other_languages(each.path)) for each in found] if is_plugin() else found


def _as_in_other_languages(path: str) -> str:
    """The first and the last key of the path, which are arguments, in camelCase; between them may be the user's name.

    >>> _as_in_other_languages("rollout.soak_seconds")
    'rollout.soakSeconds'
    """
    first, *inner = path.split(".")
    return ".".join([to_camel(first), *inner[:-1], *map(to_camel, inner[-1:])])


class _Named(BaseModel):
    """A layout, of which :mod:`mig_fleet.components.layout_args` reads the rest."""

    model_config = ConfigDict(strict=True, extra="allow")
    name: str


def _named(given: object) -> object:
    if isinstance(given, Layout):  # the fleet's own are proven already
        return {"name": given.name}
    if not isinstance(given, Mapping):
        raise ValueError(LOOKS_LIKE)
    return dict(given)


def _unless_output(given: object, check: Callable[[object], object]) -> object:
    return given if isinstance(given, pulumi.Output | Awaitable) else check(given)


def _as_list(given: object) -> object:
    return list(given) if isinstance(given, tuple) else given


def _different(nodes: list[str]) -> list[str]:
    if twice := [node for node, times in Counter(nodes).items() if times > 1]:
        raise ValueError(f"duplicate node {', '.join(map(repr, twice))}")
    return nodes


_SECONDS: Final = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_MORE_THAN_0: Final = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_FORMS: Final[Mapping[str, Any]] = {
    "nodes": Annotated[list[NodeName], BeforeValidator(_as_list), AfterValidator(_different)],
    "gpus_per_node": Annotated[int, Field(ge=1, le=64)],
    "max_unavailable": Share,
    "canary": NodeCount,
    "soak_seconds": _SECONDS,
    "stuck_after_seconds": _MORE_THAN_0,
    "timeout_seconds": _MORE_THAN_0,
    "interval_seconds": Annotated[_MORE_THAN_0, Field(le=LONGEST_INTERVAL_S)],
}
"""Arguments for which the annotation, which other languages get, too, says less than the check."""


@functools.cache
def _model(kind: type) -> type[BaseModel]:
    required: frozenset[str] = kind.__required_keys__  # type: ignore[attr-defined]  # of a TypedDict
    fields: dict[str, Any] = {
        name: (_FORMS.get(name) or _checked(hint), ... if name in required else None)
        for name, hint in inspect.get_annotations(kind).items()
    }
    return create_model(kind.__name__, __config__=ConfigDict(strict=True, extra="forbid"), **fields)


def _checked(hint: Any) -> Any:
    """The annotation as pydantic can check it; what it cannot, and a cluster, may be anything."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is NamedLayoutArgs:
        return Annotated[_Named, BeforeValidator(_named)]
    if hint is ClusterInputArgs:  # `cluster_properties` checks it, and shows no value of it
        return Any
    if is_typeddict(hint):
        return _model(hint)
    if origin in (typing.NotRequired, typing.Required):
        return _checked(inner[0])
    if origin is list:
        return Annotated[list[_checked(inner[0])], BeforeValidator(_as_list)]  # type: ignore[misc]  # made at run time
    if origin is collections.abc.Mapping:
        return Mapping[inner[0], _checked(inner[1])]  # type: ignore[valid-type,misc]  # made at run time
    if origin in (typing.Union, types.UnionType):
        return _checked_union(inner)
    return Any if origin is collections.abc.Collection else hint


def _checked_union(members: tuple[Any, ...]) -> Any:
    """``pulumi.Input[T]`` is a union too: of ``T``, what can be awaited, and outputs."""
    deferred = (Awaitable, pulumi.Output)
    plain = [
        each for each in members if typing.get_origin(each) not in deferred and not isinstance(each, typing.ForwardRef)
    ]
    union: Any = functools.reduce(operator.or_, map(_checked, plain))
    return union if len(plain) == len(members) else Annotated[union, WrapValidator(_unless_output)]
