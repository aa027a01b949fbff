"""Builds a family of tools with Go, from the committed go.mod and go.sum and the module proxy.

The committed sums replace the checksum database, ``-mod=readonly`` keeps Go from changing them, and
``GOTOOLCHAIN=local`` keeps it from downloading another Go. The user's Go settings decide on the proxy and the caches.
"""

import os
import signal
import subprocess
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mig_fleet.toolchain import pins, versions
from mig_fleet.toolchain.environment import Environment
from mig_fleet.toolchain.errors import BuildFailed, CannotBuild
from mig_fleet.toolchain.pins import Family

_SETTINGS: Final = {
    "GOFLAGS": "-mod=readonly -buildvcs=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}
_LAST_LINES: Final = 12

# A build must end with this process, even if that is killed: a shell reads the other end of a pipe, and kills its whole
# process group at the end of the file.
_END_WITH_PARENT: Final = (
    "/bin/sh",
    "-c",
    'exec 3<&0; { cat <&3 >/dev/null; kill -KILL 0; } & "$@" 3<&- </dev/null',
    "sh",
)


@dataclass(frozen=True, slots=True)
class Go:
    """A Go command that is new enough."""

    path: Path
    version: str

    @classmethod
    def require(cls, environment: Environment) -> "Go":
        """Raises :class:`CannotBuild` if there is no Go, or only an older one."""
        path = environment.go
        if path is None:
            raise CannotBuild("no Go on PATH")
        try:
            answer = subprocess.run(
                [path, "env", "GOVERSION"],
                env={**environment.variables, **_SETTINGS},
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            raise CannotBuild(f"{path} cannot be run") from None
        version, needed = versions.numbers(answer.stdout), versions.numbers(pins.go_needed())
        assert needed
        if version is None or version < needed:
            raise CannotBuild(f"{path} is {answer.stdout.strip()}, the modules need Go {pins.go_needed()}")
        return cls(path, versions.dotted(version))

    def build(self, family: Family, into: Path, log: Path, environment: Environment) -> None:
        """Builds the family's tools into a folder. Go's output goes to ``log``.

        An interrupt also ends Go and its compilers. Raises :class:`BuildFailed`.
        """
        recipe = family.recipe
        # Go names the file after the package ("server" for etcd), so one package gets the tool's name as output file.
        target = into / family.tools[0] if len(recipe.packages) == 1 else into
        command = [
            str(self.path),
            "build",
            *recipe.flags,
            "-o",
            f"{target}{os.sep if target is into else ''}",
            *recipe.packages,
        ]
        with log.open("w") as output:
            go = subprocess.Popen(
                [*_END_WITH_PARENT, *command],
                cwd=recipe.folder,
                env={**environment.variables, **_SETTINGS, "CGO_ENABLED": "1" if recipe.cgo else "0"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = go.wait()
            finally:
                _end(go)
        if code != 0:
            with log.open() as lines:
                last = "".join(deque(lines, maxlen=_LAST_LINES)).rstrip()
            raise BuildFailed(f"{family.title} {family.version}", last or f"(none; exit code {code})", log)


def _end(go: "subprocess.Popen[bytes]") -> None:
    """Kills the process group after an interrupt; after a normal end only closes the pipe, which ends the shell."""
    if go.poll() is None:
        os.killpg(go.pid, signal.SIGKILL)
    assert go.stdin is not None
    go.stdin.close()
    go.wait()
