"""The forms in which a stack file writes a layout::

{gpu: H100-80GB, all: {1g.10gb: 7}}
{gpu: H100-80GB, balanced: true}
{gpu: H100-80GB, disabled: true}
{gpu: H100-80GB, gpus: [{devices: [0, 1], profiles: {3g.40gb: 2}}, {devices: [2, 3], disabled: true}]}
{gpu: GB200-186GB, all: {1g.23gb: 7}, confirmed: {names: nvidia-smi mig -lgip on tray-3}}
"""

from collections.abc import Mapping
from typing import Any

from mig_fleet.model.errors import AmbiguousGpu, InvalidLayout, UnknownGpu
from mig_fleet.model.finding import Finding
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.layouts.gpu_group import GpuGroup
from mig_fleet.model.placement import NOTHING, Confirmed, feasible
from mig_fleet.model.placement.confirmation import CONFIRMED_KEYS
from mig_fleet.model.short_repr import format_value
from mig_fleet.model.suggestions import did_you_mean

_GROUP = "{devices: [0, 1], profiles: {...}}"
_FORMS = ("all", "gpus", "disabled", "balanced")


def read(name: str, document: object) -> tuple[GpuModel, tuple[GpuGroup, ...], tuple[str, ...], Confirmed]:
    """The GPU model, the GPU groups, the path of each group's profiles, and what boards showed.

    Raises InvalidLayout with every mistake in the form.
    """
    if not isinstance(document, Mapping):
        raise InvalidLayout(
            name,
            [Finding("", f"must look like {{gpu: H100-80GB, all: {{1g.10gb: 7}}}}, found {format_value(document)}")],
        )
    problems = _unknown_keys("", document, ("gpu", *_FORMS, "confirmed"))
    model = None
    try:
        model = find(document["gpu"]) if "gpu" in document else None
        if model is None:
            problems.append(Finding("gpu", "is missing; write the GPU model, for example H100-80GB"))
    except (UnknownGpu, AmbiguousGpu) as error:
        problems.append(Finding("gpu", str(error)))
    present = [form for form in _FORMS if form in document]
    if len(present) != 1:
        found = " and ".join(present) or "none of them"
        problems.append(Finding("", f"must have exactly one of {', '.join(_FORMS)}, found {found}"))
    groups: list[tuple[str, GpuGroup]] = []
    if "gpus" in document:
        groups += _read_groups(document["gpus"], problems)
    groups += [(path, GpuGroup(None, profiles)) for path, profiles in _read_profiles("", document, problems, model)]
    confirmed = _read_confirmed(document["confirmed"], problems) if "confirmed" in document else NOTHING
    if problems or model is None:
        raise InvalidLayout(name, problems)
    return model, tuple(group for _, group in groups), tuple(path for path, _ in groups), confirmed


def _read_confirmed(data: object, problems: list[Finding]) -> Confirmed:
    like = "{names: nvidia-smi mig -lgip on tray-3}"
    if not isinstance(data, Mapping) or not data:
        problems.append(Finding("confirmed", f"must look like {like}, found {format_value(data)}"))
        return NOTHING
    problems += _unknown_keys("confirmed", data, CONFIRMED_KEYS)
    for key in CONFIRMED_KEYS:
        text = data.get(key, "-")
        if not isinstance(text, str) or not text.strip():
            why = f"must name who or what showed it, as in {like}, found {format_value(text)}"
            problems.append(Finding(f"confirmed.{key}", why))
    return Confirmed.of_data(data)


def balanced(gpu: GpuModel) -> dict[str, int]:
    """NVIDIA's ``all-balanced``: two 1g, one 2g and one 3g, reduced to the profiles that the GPU model has and that fit
    (mig-parted pkg/mig/builder).

    Empty for models without a balanced layout in NVIDIA's file: those with two slices or with unknown placements.
    """
    counts_by_slices = {7: {1: 2, 2: 1, 3: 1}, 4: {1: 2, 2: 1}}.get(gpu.compute_slices, {})
    plain = {
        row.compute_slices: row.name
        for row in gpu.profiles.values()
        if row.profile.is_plain and row.nvml_enum in _PLAIN
    }
    counts = {plain[slices]: count for slices, count in counts_by_slices.items() if slices in plain}
    return counts if counts in [dict(layout) for layout in feasible(gpu)] else {}


# NVML's 1_SLICE to 7_SLICE; 1_SLICE_REV2 has the same number of compute slices and twice the memory.
_PLAIN = (0, 1, 2, 3, 4)


def _read_groups(groups: object, problems: list[Finding]) -> list[tuple[str, GpuGroup]]:
    if not isinstance(groups, (list, tuple)):
        problems.append(Finding("gpus", f"must be a list of {_GROUP}, found {format_value(groups)}"))
        return []
    found: list[tuple[str, GpuGroup]] = []
    for position, group in enumerate(groups):
        path = f"gpus[{position}]"
        if not isinstance(group, Mapping):
            problems.append(Finding(path, f"must look like {_GROUP}, found {format_value(group)}"))
            continue
        problems += _unknown_keys(path, group, ("devices", "profiles", "disabled"))
        devices = group.get("devices")
        if not isinstance(devices, (list, tuple)):
            problems.append(
                Finding(
                    f"{path}.devices", f"must be a list of GPU indexes such as [0, 1], found {format_value(devices)}"
                )
            )
            continue
        if ("profiles" in group) == ("disabled" in group):
            problems.append(Finding(path, "must have exactly one of profiles and disabled"))
            continue
        for where, profiles in _read_profiles(f"{path}.", group, problems, None):
            found.append((where, GpuGroup(tuple(devices), profiles)))
    return found


def _read_profiles(
    path: str, data: Mapping[str, Any], problems: list[Finding], model: GpuModel | None
) -> list[tuple[str, dict[str, int] | None]]:
    """The path and the profiles of one group, None for MIG off; an empty list if there is a mistake."""
    for key in ("all", "profiles"):
        if key in data:
            profiles = data[key]
            if isinstance(profiles, Mapping) and all(isinstance(name, str) for name in profiles):
                return [(f"{path}{key}", dict(profiles))]
            problems.append(
                Finding(
                    f"{path}{key}",
                    f"must map profiles to counts, such as {{1g.10gb: 7}}, found {format_value(profiles)}",
                )
            )
    for key in ("disabled", "balanced"):
        if key in data and data[key] is not True:
            problems.append(Finding(f"{path}{key}", f"must be true, found {format_value(data[key])}"))
        elif key in data and key == "disabled":
            return [(f"{path}{key}", None)]
        elif key in data and model is not None:
            counts = balanced(model)
            if not counts:
                problems.append(Finding(key, f"NVIDIA defines no balanced layout for {model.name}; write all: {{...}}"))
            return [(key, counts)]
    return []


def _unknown_keys(path: str, data: Mapping[Any, Any], known: tuple[str, ...]) -> list[Finding]:
    return [
        Finding(f"{path}.{key}".lstrip("."), f"unknown key{did_you_mean(str(key), known)} (known: {', '.join(known)})")
        for key in data
        if key not in known
    ]
