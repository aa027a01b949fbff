"""The nodes of a wave, as its properties have them: one text, with a name on each line.

Each time a list is passed on, the SDK spends some ten microseconds on every item, in the program and in the provider; a
text costs nothing (benchmarks/preview.py). A preview prints the lines that differ. A state of an earlier release has a
list under another key.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

NODE_NAMES: Final = "nodeNames"
LISTED: Final = "nodes"
"""The key in a state or a preview of an earlier release; never written."""


def to_text(names: Iterable[str]) -> str:
    r"""Each name ends its line, so that a preview shows no change of the line before a new one.

    >>> to_text(["n1", "n2"])
    'n1\nn2\n'
    """
    return "".join(f"{name}\n" for name in names)


def from_text(text: str) -> tuple[str, ...]:
    r"""
    >>> from_text("n1\nn2\n")
    ('n1', 'n2')
    """
    return tuple(text.split())


def node_names(props: Mapping[str, Any]) -> tuple[str, ...]:
    r"""The names in a wave's properties of this release or an earlier one; empty without any.

    >>> node_names({"nodeNames": "n1\nn2\n"}) == node_names({"nodes": ["n1", "n2"]})
    True
    """
    found = props.get(NODE_NAMES)
    return from_text(found) if isinstance(found, str) else tuple(props.get(LISTED) or ())


def without_names(props: Mapping[str, Any]) -> dict[str, Any]:
    """The other properties, of this release or an earlier one."""
    return {key: value for key, value in props.items() if key not in (NODE_NAMES, LISTED)}
