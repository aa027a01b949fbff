"""Files that only their owner may read, and that nobody sees half-written; and a quick way to read YAML."""

import os
from pathlib import Path
from typing import Any, Final

import yaml

LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""For ``yaml.load``: the same as ``safe_load``, and ten times as fast, which a fleet of a thousand nodes needs."""


def write_private(path: Path, content: bytes | str) -> Path:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return draft.replace(path)
