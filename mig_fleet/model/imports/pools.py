"""Pools from nodes and their config names, those of mig-fleet or of NVIDIA's default file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mig_fleet.model.errors import AmbiguousGpu, InvalidLayout, UnknownGpu
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.imports.layouts import Imported, unproven
from mig_fleet.model.imports.offers import Offers, contradictions, expected_counts
from mig_fleet.model.labels import ALL_DISABLED, COUNT
from mig_fleet.model.layouts import Layout
from mig_fleet.model.placement import Verdict
from mig_fleet.model.profiles import Profile
from mig_fleet.model.short_repr import format_value
from mig_fleet.model.stock_configs import stock

MOST_GPUS = 64
"""No node has more GPUs, so a larger number is a mistake."""

UNCONFIRMED = (
    "imported by the config label alone: resources are shared or renamed, or the device plugin and GPU Feature "
    "Discovery do not run; the first update compares NVML, and fails for allocatable that differs (docs/adopt.md)"
)
"""About nodes of a cluster on which no source counts slices."""

_NODE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The facts about a node in a source; None if the source does not have them.

    ``gpu`` is any name that `gpus.find` knows. ``slices`` counts MIG devices by profile in the spelling of labels
    (``1g.10gb.me``). ``gpu_count`` is the label ``nvidia.com/gpu.count``: all GPUs of the node, or in some versions of
    GFD only those without MIG. ``invalid_size`` describes a number of GPUs that is not a number: ``gpus is '8'``.
    ``offers`` is what a node of a cluster offers; None for a node of a file.
    """

    name: str
    config: str | None
    gpu: str | None = None
    gpus_per_node: int | None = None
    slices: Mapping[str, int] = field(default_factory=dict)
    gpu_count: int = 0
    invalid_size: str = ""
    offers: Offers | None = None


@dataclass(frozen=True, slots=True)
class ImportedPool:
    """Nodes with the same GPU model, number of GPUs and config. ``keep`` is whether their config name is not one that
    mig-fleet wrote, so that the nodes keep it.
    """

    name: str
    gpu: str
    gpus_per_node: int
    layout: str
    nodes: tuple[str, ...]
    keep: bool = False


def models_by_config(nodes: Iterable[NodeFacts], gpu: GpuModel | None = None) -> dict[str, tuple[GpuModel, ...]]:
    """The GPU models of the nodes with each config; ``gpu`` is the model of nodes that do not specify one."""
    found: dict[str, dict[str, GpuModel]] = {}
    for node in nodes:
        model = _model(node, gpu, [])
        if node.config is not None and model is not None:
            found.setdefault(node.config, {})[model.name] = model
    return {config: tuple(models.values()) for config, models in found.items()}


def import_nodes(
    nodes: Iterable[NodeFacts], known: Imported, gpu: GpuModel | None = None, gpus_per_node: int | None = None
) -> tuple[tuple[ImportedPool, ...], Imported]:
    """One pool per GPU model, node size and config. ``gpu`` and ``gpus_per_node`` are for nodes that do not specify
    them. A config name of NVIDIA's default file has NVIDIA's meaning only if no imported file defines it.
    """
    notes = list(known.not_imported)
    configs = dict(known.configs)
    groups: dict[tuple[str, int, str], list[str]] = {}
    seen: set[str] = set()
    unconfirmed: list[str] = []
    refused: dict[str, list[str]] = {}
    for node in sorted(nodes, key=lambda node: node.name):
        if note := _name_note(node.name, seen):
            notes.append(note)
            continue
        seen.add(node.name)
        model = _model(node, gpu, notes)
        if model is None:
            continue
        if node.config is None:
            notes.append(f"node {node.name}: has no config")
            continue
        try:
            layout = configs.get((node.config, model.name))
            if layout is None and node.config in known.defined:
                why = f"config {format_value(node.config)} of a file could not be imported for {model.name}"
                refused.setdefault(why, []).append(node.name)
                continue
            if layout is None and (layout := stock(node.config, model)) and (why := _doubt(node.config, layout)):
                refused.setdefault(why, []).append(node.name)
                continue
        except InvalidLayout as error:
            notes += [f"node {node.name}: {problem.text}" for problem in error.problems]
            continue
        if layout is None:
            notes.append(
                f"node {node.name}: no source defines config {format_value(node.config)}; add the file that does"
            )
            continue
        known_size = _known_size(node, layout, gpus_per_node)
        if known_size is not None and not 1 <= known_size <= MOST_GPUS:
            notes.append(_size_note(node, known_size))
            continue
        if why := _contradiction(node, layout, known_size):
            notes.append(why)
            continue
        size = _size(node, layout, gpus_per_node, notes)
        if size is None:
            continue
        if node.offers is not None and node.offers.is_unknown:
            unconfirmed.append(node.name)
        configs[node.config, model.name] = _with_unique_name(layout, configs.values())
        groups.setdefault((model.name, size, node.config), []).append(node.name)
    taken: set[str] = set()
    pools = []
    for (model_name, size, config), names in groups.items():
        layout = configs[config, model_name]
        keep = config == ALL_DISABLED or config != layout.config_name
        pools.append(ImportedPool(_unique(layout.name, taken), model_name, size, layout.name, tuple(names), keep))
    notes += [f"{_nodes(names)}: {why}" for why, names in refused.items()]
    if unconfirmed:
        notes.append(f"{_nodes(unconfirmed)}: {UNCONFIRMED}")
    layouts = tuple(dict.fromkeys((*known.layouts, *configs.values())))
    return tuple(pools), Imported(layouts, configs, known.defined, tuple(notes))


def _nodes(names: list[str]) -> str:
    return f"{'node' if len(names) == 1 else 'nodes'} {format_names(names)}"


def format_names(names: list[str]) -> str:
    """At most three of them: ``a, b, c and 37 more``."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _contradiction(node: NodeFacts, layout: Layout, size: int | None) -> str:
    """Why a node of a cluster is not imported: it does not offer what its config says. Empty if it does."""
    found = contradictions(layout, size, node.offers) if node.offers is not None else []
    if not found:
        return ""
    return (
        f"node {node.name}: not imported: config {format_value(node.config)} is {expected_counts(layout, size)}, but "
        f"{' and '.join(found)}; let MIG Manager apply the config, or label the node with what it has, and import again"
    )


def _doubt(config: str, layout: Layout) -> str:
    """Why nodes with a stock config are not imported; empty if it is proven to fit."""
    proofs = (proof for _, proof in layout.proofs() if proof.verdict is Verdict.UNPROVEN)
    return next((f"config {format_value(config)} is not imported, {unproven(proof)}" for proof in proofs), "")


def _size_note(node: NodeFacts, size: int) -> str:
    """About a number of GPUs that no node has."""
    source = f" by its label {COUNT}" if node.gpu_count == size else ""
    return f"node {node.name}: has {size} GPUs{source}; must be 1 to {MOST_GPUS}; correct that, or use --gpus-per-node"


def _name_note(name: str, seen: set[str]) -> str:
    if name in seen:
        return f"node {name}: duplicate node; only the first was imported"
    return "" if _NODE.fullmatch(name) else f"node {format_value(name)}: not a valid node name"


def _model(node: NodeFacts, gpu: GpuModel | None, notes: list[str]) -> GpuModel | None:
    if node.gpu is None:
        if gpu is None:
            notes.append(f"node {node.name}: its GPU model is unknown; name it with --gpu")
        return gpu
    try:
        return find(node.gpu)
    except (UnknownGpu, AmbiguousGpu) as error:
        if gpu is None:
            notes.append(f"node {node.name}: {error}")
        elif isinstance(error, UnknownGpu) or gpu.short not in error.candidates:
            notes.append(f"node {node.name}: {error}; imported as {gpu.name} because of --gpu")
        return gpu


def _size(node: NodeFacts, layout: Layout, given: int | None, notes: list[str]) -> int | None:
    """The number of GPUs of a node; None, with the reason in ``notes``, if it is unknown or invalid."""
    size = _known_size(node, layout, given)
    if node.invalid_size:
        remedy = f"imported with {size} GPUs" if size else "write for example gpus: 8, or use --gpus-per-node"
        notes.append(f"node {node.name}: {node.invalid_size}, which must be a whole number; {remedy}")
    elif size is None:
        notes.append(f"node {node.name}: its number of GPUs is unknown; set it with --gpus-per-node")
    if size is not None and node.gpu_count > size:
        why = "because of --gpus-per-node" if given else f"because layout {layout.name} covers only those"
        notes.append(f"node {node.name}: imported with {size} GPUs, {why}, but its label {COUNT} is {node.gpu_count}")
    return size


def _known_size(node: NodeFacts, layout: Layout, given: int | None) -> int | None:
    return node.gpus_per_node if node.gpus_per_node is not None else given or _size_from_slices(node, layout)


def _size_from_slices(node: NodeFacts, layout: Layout) -> int | None:
    """The number of GPUs that the layout names, or that the labels count, or that follows from the number of slices."""
    first = layout.groups[0]
    if first.devices is not None:
        named = {index for group in layout.groups for index in group.devices or ()}
        return len(named) if named == set(range(len(named))) else None
    if node.gpu_count or first.profiles is None:
        # A count of 0 may be the GPUs without MIG, on a node where every GPU has MIG.
        return node.gpu_count or None
    per_gpu = {Profile.parse(name).kubernetes: count for name, count in first.profiles.items()}
    if set(per_gpu) != set(node.slices):
        return None
    (size, rest), *others = {divmod(node.slices[name], count) for name, count in per_gpu.items()}
    return None if others or rest or not size else size


def _with_unique_name(layout: Layout, others: Iterable[Layout]) -> Layout:
    """The same layout with a unique name: NVIDIA's ``all-1g.10gb`` is a different layout on each GPU model."""
    if all(other.name != layout.name or other == layout for other in others):
        return layout
    return Layout(f"{layout.name}-{layout.model.short.lower()}", layout.gpu, layout.groups)


def _unique(name: str, taken: set[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    taken.add(candidate)
    return candidate
