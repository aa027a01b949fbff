"""Folders that no other user may read or write: programs in them are run, and state in them may have secrets."""

import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

from mig_fleet.toolchain.errors import UnsafeFolder


def make_private(folder: Path) -> None:
    """Creates the folder with mode 0700, or gives this mode to an existing one.

    Raises :class:`UnsafeFolder` for a symbolic link, and for a folder of another user, who could replace its files.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    refuse_unsafe(folder)
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        folder.chmod(0o700)


def refuse_unsafe(folder: Path) -> None:
    """Raises :class:`UnsafeFolder` for what exists and is not a folder of this user."""
    with suppress(FileNotFoundError):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise UnsafeFolder(folder, "is a symbolic link" if stat.S_ISLNK(found.st_mode) else "is not a folder")
        if found.st_uid != os.getuid():
            raise UnsafeFolder(folder, f"belongs to {_user(found.st_uid)}, not to you")


def _user(number: int) -> str:
    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"the user with the ID {number}"
