"""Layouts out of a mig-parted file: one per config and GPU model that its filters select.

What our writer writes comes back as the layouts it was written from. What has no meaning as a layout is left behind,
with the reason.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mig_fleet.model.errors import InvalidLayout, shown
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.layouts import NAME, Cut, Layout
from mig_fleet.model.parted import Entry, PartedFile
from mig_fleet.model.parted.selection import models_concerned
from mig_fleet.model.placement import Verdict
from mig_fleet.model.profiles import Profile

_HASHED = re.compile(r"(.+)-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Imported:
    """``configs`` says which layout a config became for a GPU model; ``defined`` names the configs that a file gives a
    meaning, those without a layout among them; ``left`` tells, in sentences, what is lost or changed.
    """

    layouts: tuple[Layout, ...] = ()
    configs: Mapping[tuple[str, str], Layout] = field(default_factory=dict)
    defined: frozenset[str] = frozenset()
    left: tuple[str, ...] = ()


def import_parted(
    file: PartedFile,
    gpu: GpuModel | None = None,
    gpus_per_node: int | None = None,
    carried: Mapping[str, Sequence[GpuModel]] | None = None,
) -> Imported:
    """``carried`` says, by config, which models the nodes with it have, for entries without a device filter; where no
    node says it, ``gpu`` does. ``gpus_per_node`` resolves "all, but GPU 3 otherwise".
    """
    configs: dict[tuple[str, str], Layout] = {}
    defined: set[str] = set()
    left: list[str] = []
    for name, entries in file.configs.items():
        if name == ALL_DISABLED:
            if not _switches_off(entries):
                defined.add(name)
                left.append(f"{name}: is not MIG off on every GPU, and no other layout can have this name")
            continue
        defined.add(name)
        models = _models(name, entries, gpu, (carried or {}).get(name, ()), left)
        for model in models:
            where = f"{name} ({model.short})" if len(models) > 1 else name
            if entry := _undecided(entries, model):
                board = f"the device filter {_words(entry)} wants a certain board"
                left.append(f"{where}: {board}, and which one a node has cannot be told; write this layout by hand")
                continue
            layout = _layout(name, model, entries, len(models) > 1, gpus_per_node, left)
            if layout is not None:
                configs[name, model.name] = layout
    return Imported(tuple(configs.values()), configs, frozenset(defined), tuple(left))


def _switches_off(entries: Sequence[Entry]) -> bool:
    """Whether this is the one meaning that ``all-disabled`` has with us, and in NVIDIA's file."""
    everyone = any(entry.devices is None and not entry.device_filter for entry in entries)
    return everyone and not any(entry.mig_enabled for entry in entries)


def _models(
    name: str, entries: Sequence[Entry], gpu: GpuModel | None, carriers: Sequence[GpuModel], left: list[str]
) -> list[GpuModel]:
    """The models that a config is meant for."""
    found: dict[str, GpuModel] = {}
    for entry in entries:
        if entry.device_filter:
            selected = models_concerned(entry)
            found |= {model.name: model for model in selected}
            if not selected:
                left.append(f"{name}: the device filter {_words(entry)} selects no GPU of the catalog")
    if any(not entry.device_filter for entry in entries):
        found |= {model.name: model for model in carriers or filter(None, [gpu])}
        if not found:
            left.append(f"{name}: has no device filter, so any GPU could be meant; say which with --gpu")
    return list(found.values())


def _undecided(entries: Sequence[Entry], model: GpuModel) -> Entry | None:
    """The entry, the last one that counts, of which a node's board decides whether it is meant for the model."""
    for entry in reversed(entries):
        if any(entry.may_select(pci) and not entry.selects(pci) for pci in model.pci_device_ids):
            return entry
        if entry.devices is None and all(map(entry.selects, model.pci_device_ids)):
            return None
    return None


def _words(entry: Entry) -> str:
    return ", ".join(map(shown, entry.device_filter))


def _reaches(entry: Entry, model: GpuModel) -> bool:
    return not entry.device_filter or any(map(entry.selects, model.pci_device_ids))


def _layout(
    config: str, model: GpuModel, entries: Sequence[Entry], many: bool, gpus_per_node: int | None, left: list[str]
) -> Layout | None:
    where = f"{config} ({model.short})" if many else config
    mine = [entry for entry in entries if _reaches(entry, model)]
    missed = [pci for pci in model.pci_device_ids if not any(entry.selects(pci) for entry in mine)]
    if missed:
        left.append(f"{where}: its filter leaves out {', '.join(missed)}; the layout is for every {model.short}")
    cuts = _cuts(where, mine, gpus_per_node, left)
    if not cuts:
        return None
    name = _name(config, model, many)
    try:
        layout = Layout(name, model.name, tuple(cuts))
        match = _HASHED.fullmatch(config)
        if match and NAME.fullmatch(match[1]):  # else these eight digits are a date, say, and not our hash
            original = Layout(match[1], model.name, tuple(cuts))
            layout = original if original.config_name == config else layout
    except InvalidLayout as error:
        left += [f"{where}: {problem.text}" for problem in error.problems]
        return None
    for _, proof in layout.proofs():
        if proof.verdict is Verdict.IMPOSSIBLE:
            left.append(f"{where}: cannot be on {model.short}: {proof.reason}")
            return None
        if proof.verdict is Verdict.UNPROVEN:
            left.append(f"{where}: carried over, but it cannot be proven: {proof.reason}")
    if layout.name != config and layout.config_name != config:
        left.append(f"{where}: is called {layout.name} now")
    return layout


def _cuts(where: str, entries: Sequence[Entry], gpus_per_node: int | None, left: list[str]) -> list[Cut]:
    """Entries apply in order and the last one wins, which a layout says GPU by GPU."""
    everyone: Mapping[str, int] | None = None
    has_everyone = False
    single: dict[int, Mapping[str, int] | None] = {}
    for entry in entries:
        profiles = _profiles(where, entry, left)
        if entry.mig_enabled and not profiles:
            left.append(f"{where}: switches MIG on without any instance, which no layout can say")
            return []
        if entry.devices is None:
            everyone, has_everyone = profiles, True
            single.clear()
        else:
            single |= dict.fromkeys(entry.devices, profiles)
    if not has_everyone and not single:
        left.append(f"{where}: its lists of devices name no GPU")
        return []
    if not single:
        return [Cut(None, everyone)]
    if has_everyone:
        if gpus_per_node is None:
            left.append(f"{where}: treats some GPUs apart from all others; say how many there are with --gpus-per-node")
            return []
        single = {index: single.get(index, everyone) for index in range(gpus_per_node)}
    return [Cut((index,), profiles) for index, profiles in sorted(single.items())]


def _profiles(where: str, entry: Entry, left: list[str]) -> Mapping[str, int] | None:
    if not entry.mig_enabled:
        return None
    counts: dict[str, int] = {}
    for name, count in entry.mig_devices.items():
        canonical = str(Profile.parse(name))
        if count == 0:
            left.append(f"{where}: 0 × {name} says nothing and is left out")
            continue
        if canonical != name:
            left.append(f"{where}: {name} is written {canonical} now")
        counts[canonical] = counts.get(canonical, 0) + count
    return counts


def _name(config: str, model: GpuModel, many: bool) -> str:
    suffix = f"-{model.short.lower()}" if many else ""
    name = re.sub(r"[^a-z0-9.-]+", "-", config.lower()).strip("-.")[: 54 - len(suffix)].rstrip("-.") or "layout"
    return name + suffix if NAME.fullmatch(name + suffix) else f"layout{suffix}"
