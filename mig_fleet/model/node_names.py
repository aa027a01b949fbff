"""Names of nodes, as the API server validates them (apimachinery, IsDNS1123Subdomain)."""

import re

_WORD = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NODE_NAME = rf"{_WORD}(\.{_WORD})*"
"""A regular expression for the whole name."""
LONGEST_NODE_NAME = 253
_NAME = re.compile(NODE_NAME)


def is_node_name(text: str) -> bool:
    """Whether a node may have this name.

    >>> is_node_name("gpu-1.example.com"), is_node_name("gpu-1..gpu-9")
    (True, False)
    """
    return len(text) <= LONGEST_NODE_NAME and _NAME.fullmatch(text) is not None
