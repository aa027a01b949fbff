"""From the annotations of our components to the types of Pulumi's schema, which has fewer of them.

The SDK's analyzer refuses a union, a Literal and the abstract collections. Here a Literal is its text with the choices
in the description, and a union of several types is any value: our own check says what a value may be, with every
mistake at once.
"""

import collections.abc
import inspect
import re
import types
import typing
from enum import Enum
from typing import Any, Final

import pulumi
from pulumi.provider.experimental.analyzer import Analyzer, ComponentDefinition, PropertyDefinition
from pulumi.provider.experimental.util import camel_case

_LISTS: Final = (collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable, tuple, set, frozenset)
_ROLE: Final = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`")
_WORDS: Final = {"``True``": "`true`", "``False``": "`false`", "``None``": "`null`", "None": "null"}
_LINE_END: Final = re.compile(r"(?<!\n)\n(?!\n|- )")
_SNAKE: Final = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")


class PlainTypes(Analyzer):
    """The SDK's analyzer, for plain data; any value may be an output of the program."""

    def analyze_component(self, component: type[pulumi.ComponentResource]) -> ComponentDefinition:
        """Outputs are the annotations of the class that are outputs of plain data; resources stay inside."""
        args = inspect.get_annotations(component.__init__)["args"]
        inputs, inputs_mapping = self.analyze_type(args, is_component_output=False)
        outputs = {name: kind for name, kind in inspect.get_annotations(component).items() if _is_data(kind)}
        return ComponentDefinition(
            name=component.__name__,
            description=described(component.__doc__),
            inputs=inputs,
            inputs_mapping=inputs_mapping,
            outputs={
                camel_case(name): self.analyze_property(
                    kind, component, name, can_be_plain=False, is_component_output=True, optional=_may_be_null(kind)
                )
                for name, kind in outputs.items()
            },
            outputs_mapping={camel_case(name): name for name in outputs},
            module=component.__module__,
        )

    def analyze_property(self, arg: Any, typ: type, name: str, **options: Any) -> PropertyDefinition:
        found = super().analyze_property(simplified(arg), typ, name, **{**options, "can_be_plain": False})
        found.description = described(found.description)
        if choices := _choices(arg):
            found.description = f"{(found.description or '').rstrip('.')}. One of {choices}.".lstrip(". ")
        return found


def described(text: str | None) -> str | None:
    """A docstring as Markdown, with the names that the other languages have.

    >>> described("As :class:`~a.b.C` has it, or ``on_delete``: None.")
    'As `C` has it, or `onDelete`: null.'
    >>> described("Nonetheless ``None``")
    'Nonetheless `null`'
    """
    if not text:
        return None
    for word, other in _WORDS.items():
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", other, text)
    text = _ROLE.sub(r"`\1`", inspect.cleandoc(text)).replace("``", "`")
    text = _LINE_END.sub(" ", text)
    return _SNAKE.sub(lambda match: f"`{camel_case(match[1])}`", text)


def simplified(kind: Any) -> Any:
    """The type as the SDK's analyzer takes it.

    >>> simplified(typing.Literal["fail", "warn"]), simplified(collections.abc.Mapping[str, int])
    (<class 'str'>, dict[str, int])
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if (isinstance(kind, type) and issubclass(kind, Enum)) or origin is typing.Literal:
        return str
    if origin in (typing.Union, types.UnionType):
        return _of_union(kind, inner)
    if origin is collections.abc.Mapping:
        return dict[inner[0], inner[1]]  # type: ignore[valid-type]  # made at run time
    if origin in _LISTS:
        return list[inner[0]]  # type: ignore[valid-type]  # made at run time
    return kind


def _of_union(kind: Any, inner: tuple[Any, ...]) -> Any:
    """``Input[X]`` is a union too, of X and its outputs; the analyzer knows it."""
    if any(typing.get_origin(each) is pulumi.Output for each in inner):
        return kind
    members = {simplified(each) for each in inner if each is not type(None)}
    (only,) = members if len(members) == 1 else (Any,)
    return only | None if type(None) in inner and only is not Any else only


def _choices(kind: Any) -> str:
    """The values of a Literal or an enum, also of one that may be left out."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{each.value}`" for each in kind)
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{each}`" for each in typing.get_args(kind))
    return ""


def _may_be_null(kind: Any) -> bool:
    return any(type(None) in typing.get_args(each) for each in typing.get_args(kind))


def _is_data(kind: Any) -> bool:
    if typing.get_origin(kind) is not pulumi.Output:
        return False
    return "Resource" not in str(kind)
