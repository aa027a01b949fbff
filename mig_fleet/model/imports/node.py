"""The facts about a node in a source: its GPU model, the number of its GPUs, its config."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mig_fleet.model.errors import AmbiguousGpu, UnknownGpu
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.imports.notes import Notes
from mig_fleet.model.imports.offers import Offers
from mig_fleet.model.labels import COUNT
from mig_fleet.model.layouts import Layout
from mig_fleet.model.node_names import is_node_name
from mig_fleet.model.profiles import Profile

MOST_GPUS = 64
"""No node has more GPUs, so a larger number is a mistake."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The facts about a node in a source; None if the source does not have them.

    ``gpu`` is any name that `gpus.find` knows. ``slices`` counts MIG devices by profile in the spelling of labels
    (``1g.10gb.me``); ``counted_by`` is the command that printed them, empty for labels. ``gpu_count`` is the label
    ``nvidia.com/gpu.count``: all GPUs of the node, or in some versions of GFD only those without MIG.
    ``invalid_size`` describes a number of GPUs that is not a number: ``gpus is 'all'``. ``offers`` is what a node of a
    cluster offers; None for a node of a file.
    """

    name: str
    config: str | None
    gpu: str | None = None
    gpus_per_node: int | None = None
    slices: Mapping[str, int] = field(default_factory=dict)
    gpu_count: int = 0
    invalid_size: str = ""
    offers: Offers | None = None
    counted_by: str = ""

    @property
    def has_valid_name(self) -> bool:
        return is_node_name(self.name)


def models_by_config(nodes: Iterable[NodeFacts], gpu: GpuModel | None = None) -> dict[str, tuple[GpuModel, ...]]:
    """The GPU models of the nodes with each config; ``gpu`` is the model of nodes that do not specify one."""
    found: dict[str, dict[str, GpuModel]] = {}
    for node in nodes:
        model = model_of(node, gpu, Notes())
        if node.config is not None and model is not None:
            found.setdefault(node.config, {})[model.name] = model
    return {config: tuple(models.values()) for config, models in found.items()}


def model_of(node: NodeFacts, gpu: GpuModel | None, notes: Notes) -> GpuModel | None:
    """The GPU model of a node; ``gpu`` if the node does not specify one that is known."""
    if node.gpu is None:
        if gpu is None:
            notes.left_out("its GPU model is unknown; name it with --gpu", node=node.name)
        return gpu
    try:
        return find(node.gpu)
    except (UnknownGpu, AmbiguousGpu) as error:
        if gpu is None:
            notes.left_out(str(error), node=node.name)
        elif isinstance(error, UnknownGpu) or gpu.short not in error.candidates:
            notes.changed(f"{error}; imported as {gpu.name} because of --gpu", node=node.name)
        return gpu


def size_of(node: NodeFacts, layout: Layout, given: int | None, notes: Notes) -> int | None:
    """The number of GPUs of a node; None, with the reason in ``notes``, if it is unknown or invalid. ``given`` is for
    nodes that do not specify it.
    """
    size = known_size(node, layout, given)
    if node.invalid_size:
        remedy = f"imported with {size} GPUs" if size else "write for example gpus: 8, or use --gpus-per-node"
        text = f"{node.invalid_size}, which must be a whole number; {remedy}"
        (notes.changed if size else notes.left_out)(text, node=node.name)
    elif size is None:
        notes.left_out("its number of GPUs is unknown; set it with --gpus-per-node", node=node.name)
    if size is not None and node.gpu_count > size:
        why = "because of --gpus-per-node" if given else f"because layout {layout.name} covers only those"
        notes.changed(f"imported with {size} GPUs, {why}, but its label {COUNT} is {node.gpu_count}", node=node.name)
    return size


def known_size(node: NodeFacts, layout: Layout, given: int | None) -> int | None:
    """The number of GPUs of a node without a check whether a node can have so many; None if it is unknown."""
    return node.gpus_per_node if node.gpus_per_node is not None else given or _size_from_slices(node, layout)


def absurd_size(node: NodeFacts, size: int) -> str:
    """About a number of GPUs that no node has; empty if a node can have it."""
    if 1 <= size <= MOST_GPUS:
        return ""
    source = f" by its label {COUNT}" if node.gpu_count and node.gpu_count == size else ""
    return f"has {size} GPUs{source}; must be 1 to {MOST_GPUS}; correct that, or use --gpus-per-node"


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
