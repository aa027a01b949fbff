"""Names of nodes, as the API server validates them (apimachinery, IsDNS1123Subdomain)."""

import re

_WORD = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_WORD}(\.{_WORD})*")
_LONGEST = 253


def is_node_name(text: str) -> bool:
    """Whether a node may have this name.

    >>> is_node_name("gpu-1.example.com"), is_node_name("gpu-1..gpu-9")
    (True, False)
    """
    return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None
