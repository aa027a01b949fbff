"""The temporary folders of a fleet: all in one, which does not outlive the fleet by long even when it is killed.

Sockets need short paths, of at most 107 bytes, and those of a fleet's own folder may be long. A killed process leaves
its folder behind; the next fleet of the same user that starts or stops deletes it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PARENT: Final = Path("/tmp")
PREFIX: Final = "mig-simulator-"
_NEW: Final = "new-mig-simulator-"
"""A folder that another fleet must not delete, because it is not locked yet."""


@contextmanager
def temporary_folder(parent: Path = PARENT) -> Iterator[Path]:
    """Until the end of the block, :mod:`tempfile` makes the files and folders of this process in a new folder."""
    delete_left_behind(parent)
    new = Path(tempfile.mkdtemp(prefix=_NEW, dir=parent))
    lock = _locked(new)
    folder = new.rename(parent / new.name.removeprefix("new-"))
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def delete_left_behind(parent: Path = PARENT) -> None:
    """Delete this user's folders whose processes have ended."""
    for folder in parent.glob(f"{PREFIX}*"):
        lock = _locked(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """A descriptor that locks the folder until it is closed; None if a process has the lock, or it is not ours."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(lock).st_uid == os.getuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
    except BlockingIOError:
        pass
    os.close(lock)
    return None
