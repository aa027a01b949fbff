"""Where a stack file has the profiles that a layout's advice replaces."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mig_fleet.advice.group_advice import GroupAdvice
from mig_fleet.advice.layout_advice import LayoutAdvice
from mig_fleet.documents import Document
from mig_fleet.documents.document import Location, Span
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement.request import canonical
from mig_fleet.stack_file.reading import section_of

Path = tuple[str | int, ...]
"""The keys and positions of a value: ``("config", "mig-fleet:layouts", "dense", "all")``."""


class NotEditable(ValueError):
    """The text cannot be changed in the places alone that the advice is about."""


@dataclass(frozen=True, slots=True)
class ProfileEdit:
    """Another name and count for one key of the mapping at ``path``."""

    path: Path
    old: str
    """As the stack file spells it."""
    new: str
    count: int


def profile_edits(data: Any, advice: LayoutAdvice) -> list[ProfileEdit]:
    """All edits of a layout. Raises :class:`NotEditable` if it spells a profile in two ways."""
    written = next(key for key in data["config"] if section_of(key) == "layouts")
    path = ("config", written, advice.layout.name)
    return [
        edit
        for where, profiles in _profiles(_at(data, path))
        for group in advice.groups
        if group.group.profiles == dict(canonical(advice.layout.model, profiles))
        for edit in _of_group((*path, *where), profiles, group, advice.layout.model)
    ]


def edited(data: Any, edit: ProfileEdit) -> Any:
    """The data with an edit. Only what contains it is copied, so that an alias elsewhere keeps its value."""
    return _edited(data, edit.path, edit)


def spans(document: Document, text: str, edit: ProfileEdit) -> Iterator[tuple[Span, str]]:
    """The places of an edit in the text and what to write there. Raises :class:`NotEditable` if the profile is not
    written there as a plain or quoted name and a plain count.
    """
    location: Location | None = document.root
    for step in (*edit.path, edit.old):
        location = location.children.get(f"[{step}]" if isinstance(step, int) else f".{step}") if location else None
    if location is None or location.key is None or location.scalar is None:
        raise NotEditable
    name, count = (text[slice(*span)] for span in (location.key, location.scalar))
    quote = name[0] if name[:1] in ("'", '"') else ""
    if name != f"{quote}{edit.old}{quote}" or not (count.isascii() and count.isdecimal()):
        raise NotEditable
    yield location.key, f"{quote}{edit.new}{quote}"
    yield location.scalar, str(edit.count)


def _profiles(layout: Any) -> Iterator[tuple[Path, Mapping[str, int]]]:
    """The mappings of profiles to counts in a valid layout of a stack file."""
    if "all" in layout:
        yield ("all",), layout["all"]
    for number, group in enumerate(layout.get("gpus", ())):
        if "profiles" in group:
            yield ("gpus", number, "profiles"), group["profiles"]


def _of_group(path: Path, profiles: Mapping[str, int], group: GroupAdvice, gpu: GpuModel) -> Iterator[ProfileEdit]:
    for sizing in group.sizings:
        if new := sizing.replacement:
            spelled = [name for name in profiles if canonical(gpu, [name]) == ((sizing.profile, 1),)]
            if len(spelled) != 1:
                raise NotEditable
            yield ProfileEdit(path, spelled[0], new.profile, new.count)


def _edited(data: Any, path: Path, edit: ProfileEdit) -> Any:
    if not path:
        return {(edit.new if key == edit.old else key): edit.count if key == edit.old else data[key] for key in data}
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        return [_edited(item, rest, edit) if number == step else item for number, item in enumerate(data)]
    return {**data, step: _edited(data[step], rest, edit)}


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data
