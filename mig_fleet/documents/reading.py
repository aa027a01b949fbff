"""Reads a file, or its content, into a :class:`Document`."""

from pathlib import Path

import yaml

from mig_fleet.documents.builder import build
from mig_fleet.documents.document import Document, DocumentError
from mig_fleet.documents.limits import MAX_BYTES
from mig_fleet.documents.scalars import BYTE_ORDER_MARK


def open_document(path: str | Path) -> Document:
    """Raises DocumentError for a file that is missing, too large, not UTF-8 or not YAML."""
    return parse(str(path), read_content(path))


def read_content(path: str | Path, times: int = 1) -> bytes:
    """The bytes of a file, at most one more than :func:`parse` accepts. Raises DocumentError."""
    try:
        with Path(path).open("rb") as file:
            return file.read(times * MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise DocumentError(str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def parse(name: str, content: bytes, times: int = 1) -> Document:
    """``name`` appears in messages; ``times`` multiplies the limits of bytes and values. Raises DocumentError."""
    if len(content) > times * MAX_BYTES:
        limit = "1 MiB, more than a ConfigMap can hold" if times == 1 else f"{times} MiB"
        raise DocumentError(name, f"is larger than {limit}; split it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"{name}:{line}", "is not UTF-8; save it as UTF-8") from None
    if text.startswith(BYTE_ORDER_MARK):
        # go-yaml skips the first character of every line of such a file.
        raise DocumentError(f"{name}:1", "starts with two byte order marks; save it with one or none")
    try:
        return build(name, text, times)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise DocumentError(place, f"is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DocumentError(name, f"is not YAML: {' '.join(str(error).split())}") from None
