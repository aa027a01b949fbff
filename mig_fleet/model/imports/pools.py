"""Pools out of nodes and the config names they carry, ours or those of NVIDIA's default file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mig_fleet.model.errors import AmbiguousGpu, InvalidLayout, UnknownGpu, shown
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.imports.layouts import Imported
from mig_fleet.model.labels import ALL_DISABLED, COUNT
from mig_fleet.model.layouts import Layout
from mig_fleet.model.layouts.forms import balanced
from mig_fleet.model.profiles import Profile

MOST_GPUS = 64
"""No node has more, so a larger number is a mistake."""

_NODE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a source says about a node; None where it does not. ``gpu`` is any name that `gpus.find` knows.

    ``slices`` counts MIG devices by profile in the spelling of labels (``1g.10gb.me``). ``gpu_count`` is the label
    ``nvidia.com/gpu.count``: all GPUs of the node, or with other versions of GFD those without MIG. ``unread_size`` is
    what the source says of the number of GPUs where that is no number: ``gpus is '8'``.
    """

    name: str
    config: str | None
    gpu: str | None = None
    gpus_per_node: int | None = None
    slices: Mapping[str, int] = field(default_factory=dict)
    gpu_count: int = 0
    unread_size: str = ""


@dataclass(frozen=True, slots=True)
class ImportedPool:
    """Nodes that were alike."""

    name: str
    gpu: str
    gpus_per_node: int
    layout: str
    nodes: tuple[str, ...]


def carried_by(nodes: Iterable[NodeFacts], gpu: GpuModel | None = None) -> dict[str, tuple[GpuModel, ...]]:
    """The models that carry each config; ``gpu`` fills in what the source does not say."""
    found: dict[str, dict[str, GpuModel]] = {}
    for node in nodes:
        model = _model(node, gpu, [])
        if node.config is not None and model is not None:
            found.setdefault(node.config, {})[model.name] = model
    return {config: tuple(models.values()) for config, models in found.items()}


def import_nodes(
    nodes: Iterable[NodeFacts], known: Imported, gpu: GpuModel | None = None, gpus_per_node: int | None = None
) -> tuple[tuple[ImportedPool, ...], Imported]:
    """One pool per GPU model, node size and config. ``gpu`` and ``gpus_per_node`` fill in what the source does not
    say. A config has NVIDIA's meaning of its name only where no file defines it.
    """
    left = list(known.left)
    configs = dict(known.configs)
    groups: dict[tuple[str, int, str], list[str]] = {}
    seen: set[str] = set()
    for node in sorted(nodes, key=lambda node: node.name):
        if problem := _name_problem(node.name, seen):
            left.append(problem)
            continue
        seen.add(node.name)
        model = _model(node, gpu, left)
        if model is None:
            continue
        if node.config is None:
            left.append(f"node {node.name}: carries no config")
            continue
        try:
            layout = configs.get((node.config, model.name))
            if layout is None and node.config in known.defined:
                text = f"a given file defines config {shown(node.config)}, but no layout for {model.name} came of it"
                left.append(f"node {node.name}: {text}")
                continue
            if layout is None and (layout := stock(node.config, model)):
                left += [note for note in _doubts(node.config, layout) if note not in left]
        except InvalidLayout as error:
            left += [f"node {node.name}: {problem.text}" for problem in error.problems]
            continue
        if layout is None:
            left.append(
                f"node {node.name}: nothing says what config {shown(node.config)} means; give the file that holds it"
            )
            continue
        size = _size(node, layout, gpus_per_node, left)
        if size is None:
            continue
        configs[node.config, model.name] = _apart(layout, configs.values())
        groups.setdefault((model.name, size, node.config), []).append(node.name)
    taken: set[str] = set()
    pools = []
    for (model_name, size, config), names in groups.items():
        layout = configs[config, model_name]
        pools.append(ImportedPool(_free(layout.name, taken), model_name, size, layout.name, tuple(names)))
    layouts = tuple(dict.fromkeys((*known.layouts, *configs.values())))
    return tuple(pools), Imported(layouts, configs, known.defined, tuple(left))


def stock(config: str, gpu: GpuModel) -> Layout | None:
    """What a config of NVIDIA's default file means on a model: ``all-1g.10gb.me``, ``all-balanced``; None for other
    names. Raises InvalidLayout for a model of which no layout can be made.
    """
    if config == ALL_DISABLED:
        return Layout.disabled(config, gpu.name)
    if config == "all-balanced":
        return Layout.uniform(config, gpu.name, balanced(gpu)) if balanced(gpu) else None
    # A label value cannot hold a +, so NVIDIA writes the resource's spelling; read back by comparing with what the GPU
    # has.
    profile = config.removeprefix("all-")
    names = (name for row in gpu.profiles for name in gpu.names_of(row) if Profile.parse(name).kubernetes == profile)
    name = next(names, None)
    if name is None or profile == config:
        return None
    return Layout.uniform(config, gpu.name, {name: gpu.profile(name).max_instances})


def _doubts(config: str, layout: Layout) -> list[str]:
    """Why it is not proven that GPUs can be cut so."""
    proofs = [proof for _, proof in layout.proofs() if not proof]
    return [f"{config}: carried over, but it cannot be proven: {proof.reason}" for proof in proofs]


def _name_problem(name: str, seen: set[str]) -> str:
    if name in seen:
        return f"node {name}: stands there twice; the first was taken"
    return "" if _NODE.fullmatch(name) else f"node {shown(name)}: no node can have this name"


def _model(node: NodeFacts, gpu: GpuModel | None, left: list[str]) -> GpuModel | None:
    if node.gpu is None:
        if gpu is None:
            left.append(f"node {node.name}: nothing says which GPUs it has; give --gpu")
        return gpu
    try:
        return find(node.gpu)
    except (UnknownGpu, AmbiguousGpu) as error:
        if gpu is None:
            left.append(f"node {node.name}: {error}")
        elif isinstance(error, UnknownGpu) or gpu.short not in error.candidates:
            left.append(f"node {node.name}: {error}; it was taken for {gpu.name}, as --gpu says")
        return gpu


def _size(node: NodeFacts, layout: Layout, given: int | None, left: list[str]) -> int | None:
    """GPUs of a node; None, with the reason in ``left``, where that is not known or cannot be."""
    size = node.gpus_per_node if node.gpus_per_node is not None else given or _seen(node, layout)
    if node.unread_size:
        taken = f"{size} was taken" if size else "write it as in gpus: 8, or give --gpus-per-node"
        left.append(f"node {node.name}: {node.unread_size}, which must be a whole number; {taken}")
    elif size is None:
        left.append(f"node {node.name}: nothing says how many GPUs it has; give --gpus-per-node")
    if size is not None and not 1 <= size <= MOST_GPUS:
        left.append(f"node {node.name}: has {size} GPUs, which must be 1 to {MOST_GPUS}")
        return None
    if size is not None and node.gpu_count > size:
        why = "--gpus-per-node says so" if given else f"layout {layout.name} names no more"
        left.append(f"node {node.name}: its label {COUNT} says {node.gpu_count} GPUs; {size} was taken, because {why}")
    return size


def _seen(node: NodeFacts, layout: Layout) -> int | None:
    """Those that its layout names, else those that its labels count; slices tell where GPUs are alike."""
    first = layout.cuts[0]
    if first.devices is not None:
        named = {index for cut in layout.cuts for index in cut.devices or ()}
        return len(named) if named == set(range(len(named))) else None
    if node.gpu_count or first.profiles is None:
        # Where every GPU is cut, a count of those without MIG would be 0.
        return node.gpu_count or None
    per_gpu = {Profile.parse(name).kubernetes: count for name, count in first.profiles.items()}
    if set(per_gpu) != set(node.slices):
        return None
    (size, rest), *others = {divmod(node.slices[name], count) for name, count in per_gpu.items()}
    return None if others or rest or not size else size


def _apart(layout: Layout, others: Iterable[Layout]) -> Layout:
    """The same layout under a name of its own: NVIDIA's ``all-1g.10gb`` is a layout of several GPU models."""
    if all(other.name != layout.name or other == layout for other in others):
        return layout
    return Layout(f"{layout.name}-{layout.model.short.lower()}", layout.gpu, layout.cuts)


def _free(name: str, taken: set[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    taken.add(candidate)
    return candidate
