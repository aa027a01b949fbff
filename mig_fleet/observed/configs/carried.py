"""What the configs mean that nodes need and the stack does not declare: the first source that defines each one. Pure.

The sources of a node are the live layout file, the files that its MIG Manager reads today, and NVIDIA's stock configs.
One name may mean different slices on nodes of different GPU models; its entries then get device filters.
"""

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mig_fleet.model import gpus, labels, parted
from mig_fleet.model.errors import MigError
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.stock_configs import stock_entries
from mig_fleet.observed.configs.layout_file import Entries, configs_of
from mig_fleet.observed.snapshot import Node

File = Mapping[str, Entries]
"""Config name → entries, of one layout file."""

LISTED_NODES = 5


@dataclass(frozen=True, slots=True)
class CarriedConfigs:
    """The configs that the layout file must have beside the stack's own."""

    entries: Mapping[str, Entries]
    undefined: Mapping[str, tuple[str, ...]]
    """Config that no source defines → the nodes that carry it."""
    conflicting: Mapping[str, tuple[str, ...]]
    """Config that means different slices on nodes of one GPU model → the nodes that carry it."""

    def problems(self) -> list[str]:
        """One sentence for each config that the layout file cannot have, with its nodes and the way out."""
        return [
            *(
                f"config {config!r} of {_listed(nodes)} is defined nowhere: not in a ConfigMap that MIG Manager reads, "
                f"and not by NVIDIA for these GPUs; a MIG Manager that starts with {labels.LAYOUTS_CONFIG_MAP} would "
                f"report `failed` there; {_way_out(nodes)}"
                for config, nodes in self.undefined.items()
            ),
            *(
                f"config {config!r} means different slices on {_listed(nodes)}, whose GPUs are not distinguishable, so "
                f"{labels.LAYOUTS_CONFIG_MAP} cannot define it; {_way_out(nodes)}"
                for config, nodes in self.conflicting.items()
            ),
        ]


def carried_configs(
    nodes: Iterable[Node], declared: Collection[str], sources: Mapping[str, Sequence[File]]
) -> CarriedConfigs:
    """The configs that nodes need, by the files in ``sources`` (by node, the best one first).

    A conflict is left out: without its config a node ends in `failed`, with a wrong one its slices would change. Only
    nodes that carry a config can miss it or be in conflict; the others need it for a rollback or a release.
    """
    needing: dict[str, list[Node]] = {}
    for node in sorted(nodes, key=lambda node: node.name):
        for config in configs_of(node):
            if config not in declared:
                needing.setdefault(config, []).append(node)
    entries: dict[str, Entries] = {}
    undefined: dict[str, tuple[str, ...]] = {}
    conflicting: dict[str, tuple[str, ...]] = {}
    for config, those in sorted(needing.items()):
        carriers = [node for node in those if node.config == config]
        found = {node.name: definition(config, node, sources.get(node.name, ())) for node in those}
        if lacking := tuple(node.name for node in carriers if not found[node.name]):
            undefined[config] = lacking
        merged = _merged([(node, found[node.name]) for node in those])
        if merged is None:
            merged = _merged([(node, found[node.name]) for node in carriers])
        if merged is None:
            conflicting[config] = tuple(node.name for node in carriers)
        elif merged:
            entries[config] = merged
    return CarriedConfigs(entries, undefined, conflicting)


def definition(config: str, node: Node, files: Sequence[File]) -> Entries:
    """A config by the first file that defines it for the node's GPUs; empty if neither a file nor NVIDIA does."""
    ids = device_ids(node)
    defined = [file[config] for file in files if config in file]
    selecting = (entries for entries in defined if selects(entries, ids))
    return next(selecting, ()) or _stock(config, node) or next(iter(defined), ())


def selects(entries: Entries, pci_device_ids: Collection[str]) -> bool:
    """Whether a config has an entry for one of these GPUs; also if they are not known."""
    return not pci_device_ids or any(entry.may_select(pci) for entry in entries for pci in pci_device_ids)


def restricted(entries: Entries, pci_device_ids: Collection[str]) -> Entries:
    """A config's entries for these GPUs only."""
    return tuple(filter(None, (entry.restricted_to(pci_device_ids) for entry in entries)))


def device_ids(node: Node) -> tuple[str, ...]:
    """The PCI device ids of the node's GPU models, sorted; empty if its models are not known."""
    found = {pci for model in models(node) for pci in model.pci_device_ids}
    boards = node.report.gpus if node.report else ()
    others = {gpu.pci_id for gpu in boards if gpus.by_board(gpu.pci_id, gpu.product) is None}
    return tuple(sorted(found | others))


def models(node: Node) -> tuple[GpuModel, ...]:
    """The GPU models of a node by its report, or else by GFD's label; without those that the catalog does not have."""
    if node.report is not None and node.report.gpus:
        boards = (gpus.by_board(gpu.pci_id, gpu.product) for gpu in node.report.gpus)
        found = {model.name: model for model in boards if model}
        return tuple(found.values())
    try:
        return (gpus.find(node.labels.get(labels.PRODUCT, "")),)
    except MigError:
        return ()


def _listed(nodes: Sequence[str]) -> str:
    more = len(nodes) - LISTED_NODES
    return ", ".join(nodes[:LISTED_NODES]) + (f" and {more} more" if more > 0 else "")


def _way_out(nodes: Sequence[str]) -> str:
    """A command for one node; with it the user sees what it does."""
    return (
        "define it in the ConfigMap that MIG Manager reads, or give each node a config that is defined: "
        f"`kubectl label node {shlex.quote(nodes[0])} --overwrite {labels.CONFIG}=CONFIG`"
    )


def _stock(config: str, node: Node) -> Entries:
    """NVIDIA's definition for each of the node's GPU models."""
    found: Entries = ()
    for model in models(node):
        try:
            data = stock_entries(config, model)
        except MigError:  # a model for which no layout can be built
            data = None
        if data:
            found += parted.read({"version": "v1", "mig-configs": {config: data}}).configs[config]
    return found


def _merged(definitions: Iterable[tuple[Node, Entries]]) -> Entries | None:
    """One config for all these nodes; None if two of them contradict each other, empty if none has a definition."""
    found = [(entries, device_ids(node)) for node, entries in definitions if entries]
    first = found[0][0] if found else ()
    if all(entries == first for entries, _ in found):
        return first
    of_gpu: dict[str, Entries] = {}
    merged: Entries = ()
    for entries, ids in found:
        if not ids or any(of_gpu.get(pci) not in (None, restricted(entries, [pci])) for pci in ids):
            return None
        merged += restricted(entries, [pci for pci in ids if pci not in of_gpu])
        of_gpu |= {pci: restricted(entries, [pci]) for pci in ids}
    return merged
