"""The cache of tools: ``<cache>/<family>/<version>-<os>-<arch>[-<fingerprint>]/``.

A folder is complete or absent: it is filled under a temporary name and renamed. The fingerprint of the recipe is part
of the name after a build, so that a changed go.sum causes a new one; a download is named by its version only.
One process at a time fills a family's folder. POSIX only (``flock``), as the tools are.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mig_fleet.toolchain.pins import Family, Machine
from mig_fleet.toolchain.private_folder import make_private, refuse_unsafe

_UNFINISHED: Final = ".unfinished-"
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """The folders of one family in the cache."""

    family: Family
    root: Path

    @property
    def folder(self) -> Path:
        return self.root / self.family.name

    @property
    def downloaded(self) -> Path:
        return self.folder / f"{self.family.version}-{Machine.this()}"

    @property
    def built(self) -> Path:
        return self.folder / f"{self.downloaded.name}-{self.family.recipe.fingerprint}"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.built.name}.log"

    def complete(self) -> Path | None:
        """The folder that has all tools of the family, the downloaded one first; None if neither has.

        Raises :class:`UnsafeFolder`.
        """
        refuse_unsafe(self.root)
        refuse_unsafe(self.folder)
        for folder in (self.downloaded, self.built):
            refuse_unsafe(folder)
            if all(os.access(folder / tool, os.X_OK) for tool in self.family.tools):
                return folder
        return None

    @contextmanager
    def fill(self, folder: Path) -> Iterator[Path]:
        """A temporary folder. It replaces ``folder`` if the block succeeds, and is deleted if it raises."""
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
        try:
            yield unfinished
            shutil.rmtree(folder, ignore_errors=True)  # exists only if a tool was deleted from it
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    @contextmanager
    def lock(self, waiting: Callable[[int], AbstractContextManager[object]]) -> Iterator[None]:
        """Keeps other processes from filling this family. ``waiting`` gets the ID of the process that has the lock.

        The kernel releases the lock when its process ends, so a stale lock cannot block. Temporary folders of a process
        that was killed are deleted here.
        """
        make_private(self.root)
        make_private(self.folder)
        with (self.folder / ".lock").open("a+") as lock:
            if not _locked(lock.fileno()):
                with waiting(_lock_owner(self.folder / ".lock")):
                    while not _locked(lock.fileno()):
                        time.sleep(_POLL_SECONDS)
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            for leftover in self.folder.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_owner(lock: Path) -> int:
    """The ID of the process that has the lock; 0 until it has written it."""
    text = lock.read_text().strip()
    return int(text) if text.isdigit() else 0
