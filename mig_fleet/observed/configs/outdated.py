"""Nodes whose slices are not what their config means by now. Pure.

MIG Manager does not look at its file again when the file changes, only when a label changes or when it starts
(mig-parted cmd/nvidia-mig-manager/main.go). So a node may have had other slices for months under the same name, until
MIG Manager restarts for any reason.
"""

from collections.abc import Iterable, Mapping

from mig_fleet.model import labels, parted
from mig_fleet.model.formatting import format_profiles
from mig_fleet.observed.configs.layout_file import Entries
from mig_fleet.observed.snapshot import Node


def outdated_configs(carried: Mapping[str, Entries], nodes: Iterable[Node]) -> list[str]:
    """One sentence for each config that would change a node which MIG Manager has finished; ``carried`` are configs of
    the layout file that the stack does not declare.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    nodes = list(nodes)
    changes = changes_at_restart(carried, nodes)
    for node in sorted(nodes, key=lambda node: node.name):
        if node.name in changes:
            found.setdefault(node.config, []).append((node.name, changes[node.name]))
    return [_sentence(config, of_config) for config, of_config in sorted(found.items())]


def changes_at_restart(configs: Mapping[str, Entries], nodes: Iterable[Node]) -> dict[str, str]:
    """Node → the first GPU that a MIG Manager changes which starts with these configs. Nodes that it has not finished,
    or that have no current report, are left out.
    """
    file = parted.PartedFile(configs)
    finished = [node for node in nodes if node.config in configs and node.state == "success"]
    found = ((node.name, _change(file, node)) for node in sorted(finished, key=lambda node: node.name))
    return {name: change for name, change in found if change}


def _change(file: parted.PartedFile, node: Node) -> str:
    """The first GPU that the config would change; empty if there is none, or if NVML's slices are not known."""
    report = node.report
    if report is None or report.errors or not node.has_current_report or report.config != node.config:
        return ""
    for gpu in report.gpus:
        # Nothing is applied to a GPU that no entry matches; an entry for some boards may or may not match.
        entry = file.for_gpu(node.config, gpu.pci_id, gpu.index)
        if entry is None or file.board_specific_entry(node.config, gpu.pci_id, gpu.index):
            continue
        desired, has = dict(entry.mig_devices) if entry.mig_enabled else None, gpu.counts()
        if desired != (None if has is None else dict(has)):
            return f"GPU {gpu.index} has {format_profiles(has)} and would get {format_profiles(desired)}"
    return ""


def _sentence(config: str, changes: list[tuple[str, str]]) -> str:
    (name, change), *more = changes
    others = f" (and {len(more)} more)" if more else ""
    return (
        f"config {config!r} means other slices than {name}{others} has: {change}; MIG Manager makes that change when "
        f"it restarts there, also with {labels.LAYOUTS_CONFIG_MAP}. To keep the slices that the node has, declare them "
        "in the stack file; `configName: generated` then gives it that layout's own config. As long as MIG Manager "
        "reads another ConfigMap, define a config with these slices there, and label the node with it"
    )
