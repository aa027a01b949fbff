"""Suggestions for unknown names, from facts about GPUs and profiles in addition to spelling."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mig_fleet.model.gpus.model import GpuModel, GpuProfile
from mig_fleet.model.profiles import Profile
from mig_fleet.model.suggestions import nearest_word

_DEVICE = re.compile(r"(?:0x)?(?:10de:?(?:0x)?)?([0-9a-f]{4})(?::?(?:0x)?10de)?")
"""A PCI device in the spellings that users write: ``0x2330``, ``10de:2330``, ``0x10DE2330``, ``233010DE``."""


def nearest_profile(gpu: GpuModel, unknown: Profile, models: Iterable[GpuModel]) -> str:
    """The profile of ``gpu`` with the compute slices and suffixes of an unknown one; empty if there is none.

    If the unknown name is the same slice on all ``models`` that have it, that slice: ``1g.5gb`` of an A100-40GB is
    ``1g.10gb`` on an H100-80GB. Otherwise the nearest in memory.
    """
    similar = [
        row.profile if name == row.name else Profile.parse(name)
        for row in gpu.profiles.values()
        for name in gpu.names_of(row.name)
        if replace(row.profile, memory_gb=unknown.memory_gb) == unknown.whole
    ]
    if not similar:
        return ""
    meant = {_memory(model, model.profile(unknown.whole)) for model in models if model.knows(unknown.whole)}
    same = [profile for profile in similar if meant == {_memory(gpu, gpu.profile(profile))}]
    near = min(same or similar, key=lambda profile: abs(profile.memory_gb - unknown.memory_gb))
    split = replace(near, compute=unknown.compute)
    return str(split if gpu.knows(split) else near)


def nearest_model(name: object, models: Iterable[GpuModel]) -> str:
    """The text after "did you mean": a PCI id in the accepted form, or the known name with the most similar spelling.
    Empty if there is none.
    """
    known = tuple(models)
    if isinstance(name, int):  # 0x233010DE without quotes is a number in YAML.
        pci_id, _ = _device(f"{name:x}", known)
        return f'"{pci_id}", in quotes' if pci_id else ""
    if not isinstance(name, str):
        return ""
    word = name.strip().casefold()
    pci_id, board = _device(word, known)
    return f"'{pci_id}' ({board})" if pci_id else _similar_name(word, known)


def _device(text: str, models: Iterable[GpuModel]) -> tuple[str, str]:
    match = _DEVICE.fullmatch(text)
    pci_id = f"0x{match[1].upper()}10DE" if match else ""
    return next(((pci_id, model.short) for model in models if pci_id in model.pci_device_ids), ("", ""))


def _similar_name(unknown: str, models: Sequence[GpuModel]) -> str:
    words = set(re.split(r"[^a-z0-9]+", unknown))
    # Boards of all chips share words such as 80GB and PCIe: a name with a chip is compared with that chip's names only.
    same_chip = [model for model in models if _chip(model) in words]
    same_memory = [model for model in same_chip or models if _sizes(unknown) <= _sizes(" ".join(_names(model)))]
    boards = {name: "" for model in same_memory for name in (model.name, model.short)}
    for model in same_memory if same_chip else ():
        for product in model.product_names:
            for name in (product, product.removeprefix("NVIDIA ")):
                boards.setdefault(name, f" ({model.short})")
    near = nearest_word(unknown, [name for name in boards if _sizes(unknown) <= _sizes(name) or not _sizes(name)])
    return f"{near!r}{boards[near]}" if near else ""


def _sizes(text: str) -> set[str]:
    """The memory sizes in a name: a board with another memory is another model, whatever the rest of its name is."""
    return set(re.findall(r"(?<![0-9a-z])([0-9]+) ?gb?(?![0-9a-z])", text.casefold()))


def _names(gpu: GpuModel) -> tuple[str, ...]:
    return (gpu.name, gpu.short, f"{gpu.memory_gb}GB", *gpu.product_names)


def _chip(gpu: GpuModel) -> str:
    """The word of its short name that is neither its family nor its memory: ``h100``, ``6000``."""
    return [word for word in gpu.short.casefold().split("-") if not word.endswith("gb")][-1]


def _memory(gpu: GpuModel, row: GpuProfile) -> tuple[int, int]:
    return row.memory_slices, gpu.memory_slices
