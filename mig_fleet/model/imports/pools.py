"""Pools from nodes with a config name, with the layouts of their configs: of a file, or NVIDIA's."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mig_fleet.model.errors import InvalidLayout, InvalidProfile, UnknownProfile
from mig_fleet.model.gpus import GpuModel, profile_of
from mig_fleet.model.imports.confirmation import with_what_nodes_show
from mig_fleet.model.imports.layouts import Imported, unproven
from mig_fleet.model.imports.node import NodeFacts, absurd_size, known_size, model_of, size_of
from mig_fleet.model.imports.notes import Notes
from mig_fleet.model.imports.offers import contradictions, expected_counts
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.layouts import Layout
from mig_fleet.model.placement import Verdict
from mig_fleet.model.profiles import from_kubernetes
from mig_fleet.model.short_repr import format_value
from mig_fleet.model.stock_configs import stock

UNCONFIRMED = (
    "imported by the config label alone: resources are shared or renamed, or the device plugin and GPU Feature "
    "Discovery do not run; the first update compares NVML, and fails for allocatable that differs "
    "(docs/how-to/adopt.md)"
)
"""About nodes of a cluster on which no source counts slices."""


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


def import_nodes(
    nodes: Iterable[NodeFacts], known: Imported, gpu: GpuModel | None = None, gpus_per_node: int | None = None
) -> tuple[tuple[ImportedPool, ...], Imported]:
    """One pool per GPU model, node size and config. ``gpu`` and ``gpus_per_node`` are for nodes that do not specify
    them. A config name of NVIDIA's default file has NVIDIA's meaning only if no imported file defines it.
    """
    notes = Notes(known.notes)
    configs = dict(known.configs)
    groups: dict[tuple[str, int, str], list[str]] = {}
    seen: set[str] = set()
    facts = sorted(nodes, key=lambda node: node.name)
    for node in facts:
        if node.name in seen:
            notes.left_out("duplicate node; only the first was imported", node=node.name)
            continue
        if not node.has_valid_name:
            notes.left_out("not a valid node name", node=format_value(node.name))
            continue
        seen.add(node.name)
        model = model_of(node, gpu, notes)
        layout = _layout(node, model, configs, known.defined, notes, facts) if model else None
        if model is None or layout is None or node.config is None:
            continue
        size = known_size(node, layout, gpus_per_node)
        if size is not None and (why := absurd_size(node, size)):
            notes.left_out(why, node=node.name)
            continue
        if why := _contradiction(node, layout, size):
            notes.left_out(why, node=node.name)
            continue
        size = size_of(node, layout, gpus_per_node, notes)
        if size is None:
            continue
        if node.offers is not None and node.offers.is_unknown:
            notes.changed(UNCONFIRMED, node=node.name)
        if (node.config, model.name) not in configs:
            configs[node.config, model.name] = _with_unique_name(layout, configs.values())
        groups.setdefault((model.name, size, node.config), []).append(node.name)
    taken: set[str] = set()
    pools = []
    for (model_name, size, config), names in groups.items():
        layout = configs[config, model_name]
        keep = config == ALL_DISABLED or config != layout.config_name
        pools.append(ImportedPool(_unique(layout.name, taken), model_name, size, layout.name, tuple(names), keep))
    layouts = tuple(dict.fromkeys((*known.layouts, *configs.values())))
    return tuple(pools), Imported(layouts, configs, known.defined, tuple(notes))


def _layout(
    node: NodeFacts,
    model: GpuModel,
    configs: Mapping[tuple[str, str], Layout],
    defined: Collection[str],
    notes: Notes,
    nodes: Iterable[NodeFacts],
) -> Layout | None:
    """What the config of a node means on its GPU model; None, with the reason in ``notes``, if that is unknown."""
    if node.config is None:
        notes.left_out("has no config", node=node.name)
        return None
    if layout := configs.get((node.config, model.name)):
        return layout
    config = f"config {format_value(node.config)}"
    if node.config in defined:
        notes.left_out(f"{config} of a file could not be imported for {model.name}", node=node.name)
        return None
    try:
        layout = stock(node.config, model)
    except InvalidLayout as error:
        for problem in error.problems:
            notes.left_out(problem.text, node=node.name)
        return None
    layout = with_what_nodes_show(layout, node.config, nodes) if layout else None
    if layout is None:
        notes.left_out(_undefined(node.config, model), node=node.name)
        return None
    for _, proof in layout.proofs():
        if proof.verdict is Verdict.UNPROVEN:
            notes.left_out(f"{config}: {unproven(proof)}", node=node.name)
            return None
    return layout


def _undefined(config: str, model: GpuModel) -> str:
    """About a config that no source defines: a name of NVIDIA's for slices that the GPU does not have, or one that only
    a file can explain.
    """
    try:
        profile_of(model, from_kubernetes(config.removeprefix("all-")))
    except UnknownProfile as error:
        if config.startswith("all-"):
            return f"config {format_value(config)} is not for {model.short}: {error}"
    except InvalidProfile:
        pass
    return f"no source defines config {format_value(config)}; add the file that does"


def _contradiction(node: NodeFacts, layout: Layout, size: int | None) -> str:
    """Why a node of a cluster is left out: it does not offer what its config says. Empty if it does."""
    found = contradictions(layout, size, node.offers) if node.offers is not None else []
    if not found:
        return ""
    return (
        f"config {format_value(node.config)} is {expected_counts(layout, size)}, but {' and '.join(found)}; let MIG "
        "Manager apply the config, or label the node with what it has, and import again"
    )


def _with_unique_name(layout: Layout, others: Iterable[Layout]) -> Layout:
    """The same layout with a unique name: NVIDIA's ``all-1g.10gb`` is a different layout on each GPU model."""
    if all(other.name != layout.name or other == layout for other in others):
        return layout
    return Layout(f"{layout.name}-{layout.model.short.lower()}", layout.gpu, layout.groups, layout.confirmed)


def _unique(name: str, taken: set[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    taken.add(candidate)
    return candidate
