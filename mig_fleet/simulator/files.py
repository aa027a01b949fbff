"""Atomic writes of files that only their owner can read; the fast YAML loader."""

import os
from pathlib import Path
from typing import Any, Final

import yaml

LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""For ``yaml.load``: same result as ``safe_load``, ten times as fast, for fleets of a thousand nodes."""


def write_private(path: Path, content: bytes | str) -> Path:
    """Write a file with mode 0600, completely or not at all; returns its path."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return draft.replace(path)
