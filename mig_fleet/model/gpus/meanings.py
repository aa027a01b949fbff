"""What a profile name means if no GPU model is given."""

from collections.abc import Mapping

from mig_fleet.model.errors import AmbiguousProfile, UnknownProfile
from mig_fleet.model.gpus.lookup import all_models
from mig_fleet.model.gpus.model import GpuModel, GpuProfile
from mig_fleet.model.profiles import Profile


def find_profile(name: str) -> GpuProfile:
    """The profile with this name, if it is the same slice on every model that has it.

    For a part of a GPU instance, ``1c.2g.12gb``, the profile of that instance. Raises AmbiguousProfile, which lists the
    meanings with their models (``1g.10gb`` has three), UnknownProfile, InvalidProfile.
    """
    found = meanings(name)
    if len(found) > 1:
        shorts = {meaning: tuple(model.short for model in models) for meaning, models in found.items()}
        raise AmbiguousProfile(str(Profile.parse(name)), shorts)
    ((model, *_),) = found.values()
    return model.profile(name)


def meanings(profile: str) -> Mapping[str, tuple[GpuModel, ...]]:
    """The models by what the profile is on them, as text. Raises UnknownProfile, InvalidProfile."""
    parsed = Profile.parse(profile)
    found: dict[str, tuple[GpuModel, ...]] = {}
    names: dict[str, list[str]] = {}
    for model in all_models():
        if model.knows(parsed):
            meaning = _meaning(model, parsed)
            found[meaning] = (*found.get(meaning, ()), model)
            names.setdefault(meaning, []).extend(_names(model, parsed))
    if not found:
        known = dict.fromkeys(name for model in all_models() for row in model.profiles.values() for name in row.names)
        raise UnknownProfile(str(parsed), "any GPU of the catalog", tuple(known))
    return {"; ".join([meaning, *names[meaning]]): models for meaning, models in found.items()}


def _meaning(gpu: GpuModel, profile: Profile) -> str:
    row = gpu.profile(profile)
    slices = f"{row.compute_slices} of {gpu.compute_slices} compute and {row.memory_slices} of {gpu.memory_slices}"
    parts = [f"{slices} memory slices{_sms(row.slice_sm_count())}, at most {row.max_instances}"]
    if profile.is_split:
        parts.append(f"{profile} is {_share(row, profile)}")
    return "; ".join(parts)


def _share(row: GpuProfile, profile: Profile) -> str:
    slices = f"{profile.compute} of its {row.compute_slices} compute slices"
    for part in row.compute_instances:
        if part.slices == profile.compute:
            return f"{slices}{_sms(part.sm_count)}, at most {part.instances} in one instance"
    return f"{slices}; no source states that it can be split like this"


def _names(gpu: GpuModel, profile: Profile) -> list[str]:
    return [f"{gpu.short}: {it.name} {it.where}" for it in gpu.profile(profile).alternate_names]


def _sms(count: int | None) -> str:
    return "" if count is None else f", {count} SMs"
