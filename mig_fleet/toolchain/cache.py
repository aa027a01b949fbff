"""The cache of tools: ``<cache>/<family>/<version>-<os>-<arch>[-<fingerprint>]/``.

A folder is there completely or not at all: it is filled under another name and renamed. What was built carries the
recipe's fingerprint, so that a changed go.sum builds anew; what was downloaded is named by its version alone.
One process at a time fills a family's folder. POSIX only (``flock``), as are the tools.
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

_UNFINISHED: Final = ".unfinished-"
_LOOK_AGAIN_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where one family lies in the cache."""

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

    def holds(self) -> Path | None:
        """The folder with all of the family's tools, a downloaded one before a built one."""
        for folder in (self.downloaded, self.built):
            if all(os.access(folder / tool, os.X_OK) for tool in self.family.tools):
                return folder
        return None

    @contextmanager
    def filling(self, folder: Path) -> Iterator[Path]:
        """An empty folder to fill; it becomes ``folder`` when the block ends well and vanishes when it does not."""
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
        try:
            yield unfinished
            unfinished.chmod(0o755)
            shutil.rmtree(folder, ignore_errors=True)  # there only if somebody took files out of it
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    @contextmanager
    def alone(self, waiting: Callable[[int], AbstractContextManager[object]]) -> Iterator[None]:
        """Keeps other processes from filling this family; ``waiting`` is told the process that is doing so now.

        The kernel drops the lock with its holder, so nothing stale can block. Leftovers of a holder that was killed are
        swept away here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a+") as lock:
            if not _locked(lock.fileno()):
                with waiting(_holder(self.folder / ".lock")):
                    while not _locked(lock.fileno()):
                        time.sleep(_LOOK_AGAIN_SECONDS)
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


def _holder(lock: Path) -> int:
    """The process that wrote itself into the lock; 0 in the instant before it has."""
    text = lock.read_text().strip()
    return int(text) if text.isdigit() else 0
