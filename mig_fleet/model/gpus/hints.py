"""What would work in place of a name that finds nothing."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from mig_fleet.model.gpus.model import GpuModel, GpuProfile
from mig_fleet.model.profiles import Profile

_DEVICE = re.compile(r"(?:0x)?(?:10de:?(?:0x)?)?([0-9a-f]{4})(?::?(?:0x)?10de)?")
"""A PCI device in the orders people write it: ``0x2330``, ``10de:2330``, ``0x10DE2330``, ``233010DE``."""


def profile_like(gpu: GpuModel, asked: Profile, models: Iterable[GpuModel]) -> str:
    """The profile of a model that has the compute slices and suffixes of one that it lacks; empty when none has.

    Where the name is one slice on all models that know it, the same slice here: ``1g.5gb`` is ``1g.10gb`` on an
    H100-80GB. Otherwise the nearest in memory.
    """
    alike = [
        row.profile if name == row.name else Profile.parse(name)
        for row in gpu.profiles.values()
        for name in gpu.names_of(row.name)
        if replace(row.profile, memory_gb=asked.memory_gb) == asked.whole
    ]
    if not alike:
        return ""
    meant = {_memory(model, model.profile(asked.whole)) for model in models if model.knows(asked.whole)}
    same = [profile for profile in alike if meant == {_memory(gpu, gpu.profile(profile))}]
    near = min(same or alike, key=lambda profile: abs(profile.memory_gb - asked.memory_gb))
    split = replace(near, compute=asked.compute)
    return str(split if gpu.knows(split) else near)


def model_like(name: object, models: Iterable[GpuModel]) -> str:
    """A name that finds a model, in words: a PCI id in the form that works, a name that is nearly the one given. Empty
    when none is near.
    """
    known = tuple(models)
    if isinstance(name, int):  # 0x233010DE without quotes is a number in YAML.
        pci_id, _ = _device(f"{name:x}", known)
        return f'"{pci_id}", in quotes' if pci_id else ""
    if not isinstance(name, str):
        return ""
    wanted = name.strip().casefold()
    pci_id, board = _device(wanted, known)
    return f"'{pci_id}' ({board})" if pci_id else _misspelt(wanted, known)


def _device(text: str, models: Iterable[GpuModel]) -> tuple[str, str]:
    match = _DEVICE.fullmatch(text)
    wanted = f"0x{match[1].upper()}10DE" if match else ""
    return next(((wanted, model.short) for model in models if wanted in model.pci_device_ids), ("", ""))


def _misspelt(wanted: str, models: Sequence[GpuModel]) -> str:
    told = set(re.split(r"[^a-z0-9]+", wanted))
    # Boards of all chips share words such as 80GB and PCIe: where a chip is named, only its own names are near.
    alike = [model for model in models if _chip(model) in told]
    words = {word.casefold(): (repr(word), "") for model in alike or models for word in (model.name, model.short)}
    for model in alike:
        for product in model.product_names:
            for word in (product, product.removeprefix("NVIDIA ")):
                words.setdefault(word.casefold(), (repr(word), f" ({model.short})"))
    near = get_close_matches(wanted, words, n=1, cutoff=0.6)
    return "".join(words[near[0]]) if near else ""


def _chip(gpu: GpuModel) -> str:
    """The word of its short name that is neither its family nor its memory: ``h100``, ``6000``."""
    return [word for word in gpu.short.casefold().split("-") if not word.endswith("gb")][-1]


def _memory(gpu: GpuModel, row: GpuProfile) -> tuple[int, int]:
    return row.memory_slices, gpu.memory_slices
