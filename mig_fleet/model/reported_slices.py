"""The output of a verified wave: the slices that NVML reports, and the nodes that have them.

Nodes with equal slices share one entry. A mapping with an entry for each node would cost a preview of five thousand
nodes a fifth of a second (benchmarks/preview.py). A state of an earlier release has that mapping under another key.
"""

from collections.abc import Mapping
from typing import Any, Final

from mig_fleet.model.wave_nodes import from_text, to_text

REPORTED: Final = "reported"
BY_NODE: Final = "slices"
"""The key in a state of an earlier release; never written."""


def group(slices: Mapping[str, str]) -> dict[str, str]:
    r"""Slices → the names of the nodes that have them, one a line.

    >>> group({"n1": "GPU 0: 7x 1g.10gb", "n2": "GPU 0: MIG off", "n3": "GPU 0: 7x 1g.10gb"})
    {'GPU 0: 7x 1g.10gb': 'n1\nn3\n', 'GPU 0: MIG off': 'n2\n'}
    """
    found: dict[str, list[str]] = {}
    for node, text in sorted(slices.items()):
        found.setdefault(text, []).append(node)
    return {text: to_text(nodes) for text, nodes in found.items()}


def by_node(outputs: Mapping[str, Any]) -> dict[str, str]:
    r"""Node → its slices, sorted by node, from outputs of this release or an earlier one; empty if it has none.

    >>> by_node({"reported": {"GPU 0: 7x 1g.10gb": "n1\nn3\n", "GPU 0: MIG off": "n2\n"}})
    {'n1': 'GPU 0: 7x 1g.10gb', 'n2': 'GPU 0: MIG off', 'n3': 'GPU 0: 7x 1g.10gb'}
    >>> by_node({"slices": {"n1": "GPU 0: 7x 1g.10gb"}})
    {'n1': 'GPU 0: 7x 1g.10gb'}
    """
    grouped: Mapping[str, str] | None = outputs.get(REPORTED)
    if grouped is None:
        return dict(sorted((outputs.get(BY_NODE) or {}).items()))
    return dict(sorted((node, text) for text, nodes in grouped.items() for node in from_text(nodes)))
