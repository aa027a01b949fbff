"""Writes generated files to a folder of a user's, and replaces only files that are as it wrote them."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

SUMS = "SHA256SUMS"
"""The file with the sum of each file as it was written, as `sha256sum` prints it; `sha256sum -c` reads it."""


class ForeignFiles(Exception):
    """Files that the folder must not lose; ``paths`` are relative to it."""

    def __init__(self, folder: Path, paths: tuple[str, ...]) -> None:
        super().__init__(folder, paths)
        self.folder, self.paths = folder, paths

    def __str__(self) -> str:
        listed = ", ".join(self.paths)
        return f"{self.folder} has files that mig-fleet did not write, or that were changed since: {listed}"


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files, and remove those of an earlier call that are not among them.

    Raises :class:`ForeignFiles` before anything is written, and OSError.
    """
    written = _read_sums(folder / SUMS)
    ours = {path for path, digest in written.items() if _digest_of(folder / path) == digest}
    foreign = tuple(path for path in sorted(files) if os.path.lexists(folder / path) and path not in ours)
    if foreign:
        raise ForeignFiles(folder, foreign)
    for path in ours - files.keys():
        (folder / path).unlink()
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    sums = (f"{hashlib.sha256(text.encode()).hexdigest()}  {path}\n" for path, text in sorted(files.items()))
    (folder / SUMS).write_text("".join(sums), "utf-8")


def _read_sums(file: Path) -> dict[str, str]:
    """Path → sum. A path that leads out of the folder is none of ours."""
    lines = file.read_text("utf-8", errors="replace").splitlines() if file.is_file() else []
    pairs = (line.partition("  ") for line in lines)
    return {path: digest for digest, _, path in pairs if path and not path.startswith("/") and ".." not in path}


def _digest_of(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
