"""Layouts from a mig-parted file: one for each config and each GPU model that its filters select.

A file that `parted.dump` wrote is imported as the layouts that it was written from. A config that cannot be a layout is
not imported, and a note gives the reason.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mig_fleet.model.errors import InvalidLayout
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.imports.confirmation import with_what_nodes_show
from mig_fleet.model.imports.node import NodeFacts
from mig_fleet.model.imports.notes import Note, Notes, Outcome
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.layouts import NAME, GpuGroup, Layout
from mig_fleet.model.parted import Entry, PartedFile
from mig_fleet.model.parted.selection import kinds_of_one_node, selected_models
from mig_fleet.model.placement import Proof, Verdict, explain
from mig_fleet.model.profiles import Profile
from mig_fleet.model.short_repr import format_value

_HASHED = re.compile(r"(.+)-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Imported:
    """``configs`` maps a config and a GPU model to their layout. ``defined`` names the configs that a file defines,
    including those that could not be imported. ``notes`` lists what was left out or changed.
    """

    layouts: tuple[Layout, ...] = ()
    configs: Mapping[tuple[str, str], Layout] = field(default_factory=dict)
    defined: frozenset[str] = frozenset()
    notes: tuple[Note, ...] = ()


def import_parted(
    file: PartedFile,
    gpu: GpuModel | None = None,
    gpus_per_node: int | None = None,
    models: Mapping[str, Sequence[GpuModel]] | None = None,
    used_only: bool = False,
    nodes: Sequence[NodeFacts] = (),
) -> Imported:
    """``models`` maps a config to the GPU models of its nodes, for entries without a device filter; ``gpu`` is for
    configs without nodes. ``gpus_per_node`` is needed for a config that treats some GPUs differently from all others.
    ``used_only`` is for a file of a cluster: of each config only the GPU models of its nodes are imported. NVIDIA's
    file has a config for every profile of every GPU model. ``nodes`` may show what no source proves.
    """
    configs: dict[tuple[str, str], Layout] = {}
    defined: set[str] = set()
    notes = Notes()
    for name, entries in file.configs.items():
        used = (models or {}).get(name, ())
        if used_only and not used:
            continue
        if name == ALL_DISABLED:
            if not _switches_off(entries):
                defined.add(name)
                notes.left_out("must be MIG off on every GPU, because no other layout can have this name", config=name)
            continue
        defined.add(name)
        if kinds := kinds_of_one_node(entries):
            why = f"is for nodes with several kinds of GPU, {' and '.join(kinds)}; a pool is for nodes with one kind"
            notes.left_out(why, config=name)
            continue
        doubts = Notes()
        selected = _models(name, entries, gpu, used, doubts)
        if used_only:
            selected = [model for model in selected if model in used]
        if not (used_only and selected):
            notes.extend(doubts)
        for model in selected:
            where = f"{name} ({model.short})" if len(selected) > 1 else name
            if entry := _board_specific_entry(entries, model):
                why = f"the device filter {_words(entry)} selects by subsystem ID, which node labels do not include"
                notes.left_out(f"{why}; write this layout by hand", config=where)
                continue
            found = Notes()
            layout = _layout(name, model, entries, len(selected) > 1, gpus_per_node, found, nodes)
            if layout is not None:
                configs[name, model.name] = layout
            notes.extend(note for note in found if layout is not None or note.outcome is Outcome.LEFT_OUT)
    return Imported(tuple(configs.values()), configs, frozenset(defined), tuple(notes))


def _switches_off(entries: Sequence[Entry]) -> bool:
    """Whether the config disables MIG on every GPU, as ``all-disabled`` does here and in NVIDIA's file."""
    every_gpu = any(entry.devices is None and not entry.device_filter for entry in entries)
    return every_gpu and not any(entry.mig_enabled for entry in entries)


def _models(
    name: str, entries: Sequence[Entry], gpu: GpuModel | None, of_nodes: Sequence[GpuModel], notes: Notes
) -> list[GpuModel]:
    """The GPU models that a config applies to."""
    found: dict[str, GpuModel] = {}
    for entry in entries:
        if entry.device_filter:
            selected = selected_models(entry)
            found |= {model.name: model for model in selected}
            if not selected:
                notes.left_out(f"the device filter {_words(entry)} selects no GPU of the catalog", config=name)
    if any(not entry.device_filter for entry in entries):
        found |= {model.name: model for model in of_nodes or filter(None, [gpu])}
        if not found:
            notes.left_out("has no device filter, so its GPU model is unknown; name it with --gpu", config=name)
    return list(found.values())


def _board_specific_entry(entries: Sequence[Entry], model: GpuModel) -> Entry | None:
    """The last entry that applies to the model only on some boards; None if the result is the same on all boards."""
    for entry in reversed(entries):
        if any(entry.may_select(pci) and not entry.selects(pci) for pci in model.pci_device_ids):
            return entry
        if entry.devices is None and all(map(entry.selects, model.pci_device_ids)):
            return None
    return None


def _words(entry: Entry) -> str:
    return ", ".join(map(format_value, entry.device_filter))


def _reaches(entry: Entry, model: GpuModel) -> bool:
    return not entry.device_filter or any(map(entry.selects, model.pci_device_ids))


def _layout(
    config: str,
    model: GpuModel,
    entries: Sequence[Entry],
    many: bool,
    gpus_per_node: int | None,
    notes: Notes,
    nodes: Sequence[NodeFacts],
) -> Layout | None:
    where = f"{config} ({model.short})" if many else config
    mine = [entry for entry in entries if _reaches(entry, model)]
    missed = [pci for pci in model.pci_device_ids if not any(entry.selects(pci) for entry in mine)]
    if missed:
        others = ", ".join(missed)
        notes.changed(
            f"the layout is for every {model.short}, but the device filter does not select {others}", config=where
        )
    groups = _groups(where, mine, gpus_per_node, notes)
    if not groups:
        return None
    name = _name(config, model, many)
    try:
        layout = Layout(name, model.name, tuple(groups))
        match = _HASHED.fullmatch(config)
        if match and NAME.fullmatch(match[1]):  # otherwise the eight digits are not our hash but, for example, a date
            original = Layout(match[1], model.name, tuple(groups))
            layout = original if original.config_name == config else layout
    except InvalidLayout as error:
        for problem in error.problems:
            notes.left_out(problem.text, config=where)
        return None
    layout = with_what_nodes_show(layout, config, nodes)
    for _, proof in layout.proofs():
        if proof.verdict is Verdict.IMPOSSIBLE:
            notes.left_out(f"impossible on {model.short}: {explain(proof)}", config=where)
            return None
        if proof.verdict is Verdict.UNPROVEN:
            notes.left_out(unproven(proof), config=where)
            return None
    if layout.name == f"{config}-{model.short.lower()}":
        notes.changed("one layout for each GPU model, with the model at the end of its name", config=config)
    elif layout.name != config and layout.config_name != config:
        notes.changed(f"renamed to {layout.name}", config=where)
    return layout


def unproven(proof: Proof) -> str:
    """Why a layout whose proof is that is not imported, and what to do."""
    return (
        f"a stack refuses a layout that is unproven on {proof.gpu.short}: {explain(proof)}; give its nodes a "
        f"proven config (`mig-fleet gpus {proof.gpu.short}` lists the profiles), or leave them out"
    )


def _groups(where: str, entries: Sequence[Entry], gpus_per_node: int | None, notes: Notes) -> list[GpuGroup]:
    """Entries apply in order and the last one wins; a layout states the result for each GPU."""
    every_gpu: Mapping[str, int] | None = None
    has_every_gpu = False
    single: dict[int, Mapping[str, int] | None] = {}
    for entry in entries:
        profiles = _profiles(where, entry, notes)
        if entry.mig_enabled and not profiles:
            notes.left_out("enables MIG without any instance, which a layout cannot express", config=where)
            return []
        if entry.devices is None:
            every_gpu, has_every_gpu = profiles, True
            single.clear()
        else:
            single |= dict.fromkeys(entry.devices, profiles)
    if not has_every_gpu and not single:
        notes.left_out("its lists of devices name no GPU", config=where)
        return []
    if not single:
        return [GpuGroup(None, every_gpu)]
    if has_every_gpu:
        if gpus_per_node is None:
            notes.left_out(
                "treats some GPUs differently from all others; set their number with --gpus-per-node", config=where
            )
            return []
        single = {index: single.get(index, every_gpu) for index in range(gpus_per_node)}
    return [GpuGroup((index,), profiles) for index, profiles in sorted(single.items())]


def _profiles(where: str, entry: Entry, notes: Notes) -> Mapping[str, int] | None:
    if not entry.mig_enabled:
        return None
    counts: dict[str, int] = {}
    for name, count in entry.mig_devices.items():
        canonical = str(Profile.parse(name))
        if count == 0:
            notes.changed(f"0 × {name} has no effect and was removed", config=where)
            continue
        if canonical != name:
            notes.changed(f"{name} was replaced by {canonical}", config=where)
        counts[canonical] = counts.get(canonical, 0) + count
    return counts


def _name(config: str, model: GpuModel, many: bool) -> str:
    suffix = f"-{model.short.lower()}" if many else ""
    name = re.sub(r"[^a-z0-9.-]+", "-", config.lower()).strip("-.")[: 54 - len(suffix)].rstrip("-.") or "layout"
    return name + suffix if NAME.fullmatch(name + suffix) else f"layout{suffix}"
