"""Whether the arguments of a component are right beyond doubt: of exactly the types in their ``TypedDict``.

It accepts nothing that :mod:`mig_fleet.components.args_model` refuses. What it does not accept may be right, too.
"""

import collections.abc
import functools
import inspect
import math
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, is_typeddict

import pulumi

from mig_fleet.components.cluster_input import ClusterInputArgs
from mig_fleet.components.layout_args import NamedLayoutArgs
from mig_fleet.model.layouts import Layout
from mig_fleet.model.node_names import is_node_name

MUST_BE_KNOWN: Final = "is an output, but must be known when the program runs"
_EXACT: Final = (str, int, bool, types.NoneType)


def is_plainly_right(args: object, kind: type) -> bool:
    """``kind`` is a ``TypedDict``."""
    if type(args) is not dict:
        return False
    hints, required = inspect.get_annotations(kind), kind.__required_keys__  # type: ignore[attr-defined]
    return required <= args.keys() <= hints.keys() and all(
        _FORMS[key](value) if key in _FORMS else _fits(value, hints[key]) for key, value in args.items()
    )


def _fits(value: object, hint: Any) -> bool:
    """Whether it is of exactly this type; not of one that this function does not know."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is NamedLayoutArgs:
        return isinstance(value, Layout) or (type(value) is dict and type(value.get("name")) is str)
    if hint in (Any, ClusterInputArgs) or origin is collections.abc.Collection:
        return True
    if hint in _EXACT or hint is None:
        return type(value) is (types.NoneType if hint is None else hint)
    if hint is float:
        return _is_number(value)
    if is_typeddict(hint):
        return is_plainly_right(value, hint)
    if origin in (typing.NotRequired, typing.Required):
        return _fits(value, inner[0])
    if origin is typing.Literal:
        return type(value) is str and value in inner
    if origin is list:
        return type(value) is list and all(_fits(each, inner[0]) for each in value)
    if origin is Mapping:
        return type(value) is dict and all(_fits(k, inner[0]) and _fits(each, inner[1]) for k, each in value.items())
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    is_deferred = origin in (Awaitable, pulumi.Output) or isinstance(hint, typing.ForwardRef)  # of ``pulumi.Input``
    return is_deferred and isinstance(value, pulumi.Output | Awaitable)


def _is_number(value: object, least: float = -math.inf) -> bool:
    return type(value) in (int, float) and least <= value < math.inf  # type: ignore[operator]  # a number


def _is_count(value: object, least: int, most: float = math.inf) -> bool:
    return type(value) is int and least <= value <= most


def _are_nodes(value: object) -> bool:
    if type(value) is not list or not all(type(each) is str for each in value):
        return False
    return len({*value}) == len(value) and all(map(is_node_name, value))


def _is_share(value: object) -> bool:
    return _is_count(value, 1) or (type(value) is str and value in _SHARES)


_SHARES: Final = frozenset(f"{number}%" for number in range(1, 101))
_FORMS: Final[Mapping[str, Callable[[object], bool]]] = {
    "nodes": _are_nodes,
    "gpus_per_node": functools.partial(_is_count, least=1, most=64),
    "max_unavailable": _is_share,
    "canary": functools.partial(_is_count, least=0),
    "soak_seconds": functools.partial(_is_number, least=0),
    "stuck_after_seconds": functools.partial(_is_number, least=1),
    "timeout_seconds": functools.partial(_is_number, least=1),
    "interval_seconds": lambda _: False,  # its longest value stands with what needs pydantic, and few programs set it
}
"""Arguments for which the annotation says less than the check: each accepts a part of what that accepts."""
