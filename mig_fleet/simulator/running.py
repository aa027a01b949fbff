"""Whether a fleet runs in a folder: a lock that the kernel releases when its process ends, and a status file."""

import fcntl
import json
import os
import struct
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from mig_fleet.simulator.files import write_private

FLOCK: Final = "@hhqqi4x"
"""``struct flock`` of Linux on 64-bit machines: type, whence, start, length, pid."""

ALREADY_RUNNING: Final = 75
"""Exit status of a daemon when another one already runs in its folder (EX_TEMPFAIL)."""


@dataclass(frozen=True, slots=True)
class Status:
    """The daemon's last report; ``phase`` is ``starting``, ``ready``, ``failed`` or ``stopped``."""

    phase: str
    step: str = ""
    pid: int = 0
    server: str = ""
    kubeconfig: str = ""
    telemetry: str = ""
    """URL of the exporters: see :mod:`mig_fleet.simulator.telemetry_server`."""
    seconds: float = 0.0
    """Seconds from the daemon's start to the current phase."""
    error: str = ""
    processes: dict[str, int] = field(default_factory=dict)
    genuine: str = ""
    """Folder with NVIDIA's own programs, if they run on the nodes; a resumed fleet has them again."""

    def write(self, directory: Path) -> None:
        write_private(directory / "status.json", json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, directory: Path) -> "Status":
        try:
            return cls(**json.loads((directory / "status.json").read_text()))
        except FileNotFoundError:
            return cls("stopped")


class Lock:
    """The lock of a folder; a process keeps it until it ends."""

    def __init__(self, directory: Path) -> None:
        self._file = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)

    def acquire(self) -> bool:
        """Whether this process has the lock now; does not wait."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def daemon_pid(directory: Path) -> int | None:
    """The process id of the daemon that runs in a folder, from the kernel's lock table."""
    try:
        file = os.open(directory / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        request = struct.pack(FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, request))
    finally:
        os.close(file)
    return None if kind == fcntl.F_UNLCK else int(pid)
