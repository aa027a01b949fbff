"""Which config name each node should carry. Pure.

With ``configName: keep`` a node keeps the name that it carries as long as its slices are as declared: MIG Manager has
nothing to do for a name, and other tools may rely on it. The next change of its slices gives it the layout's own name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mig_fleet.model import labels
from mig_fleet.model.report import pending_reset
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.snapshot import Node


def expected_config(expected: Expected, node: Node | None, config_name: str) -> str:
    """The config name that this node should carry: its own if it is kept, else that of ``expected``.

    ``config_name`` is ``generated`` or ``keep``, as :class:`~mig_fleet.rollout.wave.Wave` has it. A node that lost a
    slice under a kept name gets ours: MIG Manager would apply whatever its file defines under the kept name by now.
    """
    keeps = config_name == "keep" and node is not None and node.config
    return node.config if keeps and node and has_declared_slices(expected, node) else expected.config


def expected_by_node(
    expected: Expected, names: Iterable[str], nodes: Mapping[str, Node], config_name: str
) -> dict[str, Expected]:
    """What each node must show once its config is assigned: with ``keep``, under the name that it carries now."""
    carried = {name: nodes[name].config for name in names if config_name == "keep" and name in nodes}
    return {name: with_config(expected, carried.get(name) or expected.config) for name in names}


def with_config(expected: Expected, config: str) -> Expected:
    """The same slices under another config name."""
    return expected if config == expected.config else replace(expected, config=config)


def has_declared_slices(expected: Expected, node: Node) -> bool:
    """Whether MIG Manager's state is `success` and the node's slices are as declared, whatever its config is called.

    NVML's counts decide, GPU by GPU. Before the probe has reported, as in the preview of a first update, the resources
    decide that the kubelet offers: they are counted over all GPUs of the node.
    """
    if node.state != "success":
        return False
    report = node.report
    if report is not None and not report.errors and node.has_current_report and report.config == node.config:
        found = [profiles and {name: n for name, n in profiles.items() if n} for profiles in report.counts()]
        return found == list(expected.gpus) and not pending_reset(report)
    offered = {name: n for name, n in node.allocatable.items() if labels.is_gpu_resource(name)}
    return offered == {name: n for name, n in expected.allocatable.items() if n}
