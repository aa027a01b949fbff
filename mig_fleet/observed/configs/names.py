"""Which config name each node should carry. Pure.

With ``configName: keep`` a node keeps the name that it carries as long as its slices are as declared: MIG Manager has
nothing to do for a name, and other tools may rely on it. The next change of its slices gives it the layout's own name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mig_fleet.observed.configs.declared_slices import has_declared_slices
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
