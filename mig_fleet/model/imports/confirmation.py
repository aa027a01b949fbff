"""What labels or nvidia-smi show about a layout that no source proves: names and slices that boards have."""

from collections.abc import Iterable, Mapping

from mig_fleet.model.errors import AmbiguousGpu, UnknownGpu
from mig_fleet.model.gpus import find
from mig_fleet.model.imports.node import NodeFacts
from mig_fleet.model.labels import RESOURCE_PREFIX
from mig_fleet.model.layouts import Layout
from mig_fleet.model.placement import NOTHING, Confirmed, Verdict
from mig_fleet.model.profiles import Profile


def with_what_nodes_show(layout: Layout, config: str, nodes: Iterable[NodeFacts]) -> Layout:
    """The layout with what the first node shows that has this config, this GPU model and its slices; as it is if it
    needs nothing or no node shows it.
    """
    if all(proof.verdict is not Verdict.UNPROVEN for _, proof in layout.proofs()):
        return layout
    shown = (_shown(layout, node) for node in nodes if node.config == config and _has_model(node, layout.gpu))
    confirmed = next((found for found in shown if found != NOTHING), NOTHING)
    return Layout(layout.name, layout.gpu, layout.groups, confirmed) if confirmed != NOTHING else layout


def _shown(layout: Layout, node: NodeFacts) -> Confirmed:
    """GPU Feature Discovery and nvidia-smi have the names from NVML. The counts are those of all GPUs of a node, so the
    slices of one GPU are only known if all have the same.
    """
    wanted = [group.profiles for group in layout.groups if group.profiles is not None]
    names = sorted({Profile.parse(name).kubernetes for profiles in wanted for name in profiles})
    if not names or any(not node.slices.get(name) for name in names):
        return NOTHING
    labels = ", ".join(f"{RESOURCE_PREFIX}{name}.count: {node.slices[name]}" for name in names)
    printed = ", ".join(f"{node.slices[name]}x {name}" for name in names)
    text = f"{f'{node.counted_by}: {printed}' if node.counted_by else labels} on node {node.name}"
    (first, *others) = wanted
    is_uniform = not others and layout.groups[0].devices is None
    return Confirmed(slices=text) if is_uniform and _is_multiple(node.slices, first) else Confirmed(names=text)


def _is_multiple(slices: Mapping[str, int], profiles: Mapping[str, int]) -> bool:
    """Whether these are the slices of some GPUs that all have these profiles."""
    per_gpu = {Profile.parse(name).kubernetes: count for name, count in profiles.items()}
    if set(per_gpu) != {name for name, count in slices.items() if count}:
        return False
    return len({divmod(slices[name], count) for name, count in per_gpu.items()}) == 1 and not any(
        slices[name] % count for name, count in per_gpu.items()
    )


def _has_model(node: NodeFacts, gpu: str) -> bool:
    """A node that does not name its model is not compared."""
    try:
        return node.gpu is None or find(node.gpu).name == gpu
    except (UnknownGpu, AmbiguousGpu):
        return False
