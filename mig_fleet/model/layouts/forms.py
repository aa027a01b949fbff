"""The forms in which a stack file writes a layout::

{gpu: H100-80GB, all: {1g.10gb: 7}}
{gpu: H100-80GB, balanced: true}
{gpu: H100-80GB, disabled: true}
{gpu: H100-80GB, gpus: [{devices: [0, 1], profiles: {3g.40gb: 2}}, {devices: [2, 3], disabled: true}]}
"""

from collections.abc import Mapping
from typing import Any

from mig_fleet.model.errors import AmbiguousGpu, InvalidLayout, Problem, UnknownGpu, hint, shown
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.layouts.cut import Cut
from mig_fleet.model.placement import feasible

_GROUP = "{devices: [0, 1], profiles: {...}}"
_FORMS = ("all", "gpus", "disabled", "balanced")


def read(name: str, document: object) -> tuple[GpuModel, tuple[Cut, ...], tuple[str, ...]]:
    """The GPU model, the cuts, and where each cut was written. Raises InvalidLayout with every problem of the form."""
    if not isinstance(document, Mapping):
        raise InvalidLayout(
            name, [Problem("", f"must look like {{gpu: H100-80GB, all: {{1g.10gb: 7}}}}, found {shown(document)}")]
        )
    problems = _unknown_keys("", document, ("gpu", *_FORMS))
    model = None
    try:
        model = find(document["gpu"]) if "gpu" in document else None
        if model is None:
            problems.append(Problem("gpu", "is missing; it names the GPU model, for example H100-80GB"))
    except (UnknownGpu, AmbiguousGpu) as error:
        problems.append(Problem("gpu", str(error)))
    present = [form for form in _FORMS if form in document]
    if len(present) != 1:
        found = " and ".join(present) or "none of them"
        problems.append(Problem("", f"needs exactly one of {', '.join(_FORMS)}, found {found}"))
    cuts: list[tuple[str, Cut]] = []
    if "gpus" in document:
        cuts += _groups(document["gpus"], problems)
    cuts += [(path, Cut(None, profiles)) for path, profiles in _one("", document, problems, model)]
    if problems or model is None:
        raise InvalidLayout(name, problems)
    return model, tuple(cut for _, cut in cuts), tuple(path for path, _ in cuts)


def balanced(gpu: GpuModel) -> dict[str, int]:
    """NVIDIA's ``all-balanced``: two 1g, one 2g and one 3g, or what of them the GPU has and holds (mig-parted
    pkg/mig/builder).

    Empty where NVIDIA generates none either: on GPUs of two slices and where the placements are not known.
    """
    wanted = {7: {1: 2, 2: 1, 3: 1}, 4: {1: 2, 2: 1}}.get(gpu.compute_slices, {})
    plain = {
        row.compute_slices: row.name
        for row in gpu.profiles.values()
        if row.profile.is_plain and row.nvml_enum in _PLAIN
    }
    counts = {plain[slices]: count for slices, count in wanted.items() if slices in plain}
    return counts if counts in [dict(layout) for layout in feasible(gpu)] else {}


# NVML's 1_SLICE to 7_SLICE; 1_SLICE_REV2 is the double-memory variant of the same number of compute slices.
_PLAIN = (0, 1, 2, 3, 4)


def _groups(groups: object, problems: list[Problem]) -> list[tuple[str, Cut]]:
    if not isinstance(groups, (list, tuple)):
        problems.append(Problem("gpus", f"must be a list of {_GROUP}, found {shown(groups)}"))
        return []
    cuts = []
    for position, group in enumerate(groups):
        path = f"gpus[{position}]"
        if not isinstance(group, Mapping):
            problems.append(Problem(path, f"must look like {_GROUP}, found {shown(group)}"))
            continue
        problems += _unknown_keys(path, group, ("devices", "profiles", "disabled"))
        devices = group.get("devices")
        if not isinstance(devices, (list, tuple)):
            problems.append(
                Problem(f"{path}.devices", f"must be a list of GPU indexes such as [0, 1], found {shown(devices)}")
            )
            continue
        if ("profiles" in group) == ("disabled" in group):
            problems.append(Problem(path, "needs exactly one of profiles and disabled"))
            continue
        cuts += [(where, Cut(tuple(devices), profiles)) for where, profiles in _one(f"{path}.", group, problems, None)]
    return cuts


def _one(
    path: str, data: Mapping[str, Any], problems: list[Problem], model: GpuModel | None
) -> list[tuple[str, dict[str, int] | None]]:
    for key in ("all", "profiles"):
        if key in data:
            profiles = data[key]
            if isinstance(profiles, Mapping) and all(isinstance(name, str) for name in profiles):
                return [(f"{path}{key}", dict(profiles))]
            problems.append(
                Problem(f"{path}{key}", f"must map profiles to counts, such as {{1g.10gb: 7}}, found {shown(profiles)}")
            )
    for key in ("disabled", "balanced"):
        if key in data and data[key] is not True:
            problems.append(Problem(f"{path}{key}", f"can only be true, found {shown(data[key])}"))
        elif key in data and key == "disabled":
            return [(f"{path}{key}", None)]
        elif key in data and model is not None:
            counts = balanced(model)
            if not counts:
                problems.append(Problem(key, f"NVIDIA defines no balanced layout for {model.name}; write all: {{...}}"))
            return [(key, counts)]
    return []


def _unknown_keys(path: str, data: Mapping[Any, Any], known: tuple[str, ...]) -> list[Problem]:
    return [
        Problem(f"{path}.{key}".lstrip("."), f"is not a key here{hint(str(key), known)} (known: {', '.join(known)})")
        for key in data
        if key not in known
    ]
