"""Layouts as plain data, as a program declares them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NotRequired, TypedDict

from mig_fleet.components.refused import FleetRefused
from mig_fleet.model.errors import InvalidLayout, MigError
from mig_fleet.model.finding import Finding
from mig_fleet.model.layouts import Layout


class GpuGroupArgs(TypedDict):
    """Some GPUs of a node; either ``profiles`` or ``disabled``."""

    devices: list[int]
    """Indices of GPUs, from 0."""
    profiles: NotRequired[Mapping[str, int]]
    """Profile → the number of slices on each of these GPUs, ``{"3g.40gb": 2}``."""
    disabled: NotRequired[bool]
    """``True``: MIG is off on these GPUs."""


class ConfirmedArgs(TypedDict, total=False):
    """What a board showed that no source proves; each value says who or what showed it."""

    names: str
    """The board has the profiles under these names: ``nvidia-smi mig -lgip on tray-3``."""
    slices: str
    """A GPU of the board had all slices of the layout at once, under these names."""


class LayoutArgs(TypedDict):
    """How each GPU of a node is partitioned: exactly one of ``all``, ``gpus``, ``disabled`` and ``balanced``."""

    gpu: str
    """The GPU model, such as ``H100-80GB``."""
    all: NotRequired[Mapping[str, int]]
    """The same on every GPU: profile → number of slices, ``{"1g.10gb": 7}``."""
    gpus: NotRequired[list[GpuGroupArgs]]
    """Groups of GPUs that differ."""
    disabled: NotRequired[bool]
    """``True``: MIG is off on every GPU."""
    balanced: NotRequired[bool]
    """``True``: NVIDIA's ``all-balanced`` for the model."""
    confirmed: NotRequired[ConfirmedArgs]
    """What boards showed about the layout; needed only for models with facts that no source proves."""


class NamedLayoutArgs(LayoutArgs):
    """A layout and its name, for the components that take single layouts."""

    name: str
    """Part of the config name on the nodes: lower-case letters, digits, ``-`` and ``.``."""


def parse_layouts(given: Iterable[NamedLayoutArgs], path: str, source: str) -> list[Layout]:
    """The layouts; raises :class:`~mig_fleet.components.refused.FleetRefused` with the problems of all of them.

    ``path`` is where the list is in the arguments of ``source``.
    """
    layouts: list[Layout] = []
    problems: list[Finding] = []
    for position, each in enumerate(given):
        try:
            layouts.append(_parse(each))
        except InvalidLayout as exc:
            where = f"{path}[{position}]"
            problems += [replace(it, path=f"{where}.{it.path}".rstrip("."), also="") for it in exc.problems]
        except MigError as exc:
            problems.append(Finding(f"{path}[{position}].gpu", str(exc)))
    if problems:
        raise FleetRefused(source, problems)
    return layouts


def parse_layout(given: NamedLayoutArgs, source: str) -> Layout:
    """One layout, at ``layout`` in the arguments of ``source``; raises as :func:`parse_layouts`."""
    try:
        return _parse(given)
    except InvalidLayout as exc:
        problems = [replace(it, path=f"layout.{it.path}".rstrip("."), also="") for it in exc.problems]
        raise FleetRefused(source, problems) from None
    except MigError as exc:
        raise FleetRefused(source, [Finding("layout.gpu", str(exc))]) from None


def _parse(given: NamedLayoutArgs) -> Layout:
    data: Mapping[str, Any] = given
    if isinstance(given, Layout):  # the fleet's own are proven already
        return given
    return Layout.parse(data["name"], {key: value for key, value in data.items() if key != "name"})
