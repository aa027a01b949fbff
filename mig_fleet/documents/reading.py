"""Reads a file, or its content, into a :class:`Document`."""

from pathlib import Path

import yaml

from mig_fleet.documents.builder import build
from mig_fleet.documents.document import Document, DocumentError
from mig_fleet.documents.limits import MAX_BYTES
from mig_fleet.documents.scalars import BYTE_ORDER_MARK


def open_document(path: str | Path) -> Document:
    """Raises DocumentError for a file that is missing, too large, not UTF-8 or not YAML."""
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise DocumentError(name, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return parse(name, content)


def parse(name: str, content: bytes) -> Document:
    """``name`` appears in messages. Raises DocumentError."""
    if len(content) > MAX_BYTES:
        raise DocumentError(name, "is larger than 1 MiB, more than a ConfigMap can hold; split it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"{name}:{line}", "is not UTF-8; save it as UTF-8") from None
    if text.startswith(BYTE_ORDER_MARK):
        # go-yaml skips the first character of every line of such a file.
        raise DocumentError(f"{name}:1", "starts with two byte order marks; save it with one or none")
    try:
        return build(name, text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise DocumentError(place, f"is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DocumentError(name, f"is not YAML: {' '.join(str(error).split())}") from None
