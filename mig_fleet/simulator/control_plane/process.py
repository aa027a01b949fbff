"""Child processes that the kernel kills when their parent ends for any reason."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from mig_fleet.simulator.errors import MissingBinary

PR_SET_PDEATHSIG: Final = 1
KEPT: Final = ("GOGC",)
"""Variables of our own environment that the children get, too: how Go collects garbage."""
_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> Callable[[], None]:
    """For ``preexec_fn``: the kernel kills the child when the thread that created it ends.

    So only the main thread creates children. Between fork and exec there is no other way to request this.
    """

    def before_exec() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have died between the fork and the line above.
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}


class Child:
    """One program, its output in a log file."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.log = name, log
        program = Path(command[0])
        if not os.access(program, os.X_OK):
            raise MissingBinary(
                f"{program.name} is not in {program.parent} (or not executable); `mig-fleet toolchain` installs it"
            )
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Not our own environment: its proxy settings would break requests to loopback.
                env={"PATH": os.defpath, "HOME": str(log.parent), **_kept(), **(environment or {})},
                start_new_session=True,
                preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 (no other thread runs when children are created)
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """``None`` while it runs."""
        return self._process.poll()

    def last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])

    def kill(self) -> None:
        """SIGKILL: on SIGTERM an API server drains its watches for ten seconds, which has no use here."""
        self._process.kill()
        self._process.wait()
