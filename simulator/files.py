"""Files that only their owner may read, and that nobody sees half-written."""

import os
from pathlib import Path


def write_private(path: Path, content: bytes | str) -> Path:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return draft.replace(path)
