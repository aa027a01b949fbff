"""Building a family with Go, out of the committed go.mod and go.sum and the module proxy.

The committed sums make the checksum database unnecessary, ``-mod=readonly`` keeps them as they are, and
``GOTOOLCHAIN=local`` stops Go from fetching another Go. Everything else (proxy, caches) is the user's own Go setting.
"""

import os
import signal
import subprocess
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mig_fleet.toolchain import pins, versions
from mig_fleet.toolchain.errors import BuildFailed, CannotBuild
from mig_fleet.toolchain.pins import Family
from mig_fleet.toolchain.surroundings import Surroundings

_SETTINGS: Final = {
    "GOFLAGS": "-mod=readonly -buildvcs=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}
_LAST_LINES: Final = 12

# A build must not outlive us, not even when we are killed and can do nothing about it: a watcher holds the other end of
# our pipe, and its closing takes the whole group of processes.
_TIED_TO_US: Final = (
    "/bin/sh",
    "-c",
    'exec 3<&0; { cat <&3 >/dev/null; kill -KILL 0; } & "$@" 3<&- </dev/null',
    "sh",
)


@dataclass(frozen=True, slots=True)
class Go:
    """A Go that is new enough."""

    path: Path
    version: str

    @classmethod
    def found(cls, around: Surroundings) -> "Go":
        """Raises :class:`CannotBuild` when there is none, or only an older one."""
        path = around.go
        if path is None:
            raise CannotBuild("no Go on PATH")
        try:
            answer = subprocess.run(
                [path, "env", "GOVERSION"],
                env={**around.variables, **_SETTINGS},
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            raise CannotBuild(f"{path} does not run") from None
        version, needed = versions.numbers(answer.stdout), versions.numbers(pins.go_needed())
        assert needed
        if version is None or version < needed:
            raise CannotBuild(f"{path} is {answer.stdout.strip()}, the modules need Go {pins.go_needed()}")
        return cls(path, versions.dotted(version))

    def build(self, family: Family, into: Path, log: Path, around: Surroundings) -> None:
        """Builds the family's tools into a folder. Go's output goes to ``log``.

        Interrupted, it takes Go and its compilers along. Raises :class:`BuildFailed`.
        """
        recipe = family.recipe
        # One package becomes the file it is asked to be (etcd's would be called "server"), several go into a folder.
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
                [*_TIED_TO_US, *command],
                cwd=recipe.folder,
                env={**around.variables, **_SETTINGS, "CGO_ENABLED": "1" if recipe.cgo else "0"},
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
    """On an interrupt the whole group of processes goes; after a normal end only the watcher is left to go."""
    if go.poll() is None:
        os.killpg(go.pid, signal.SIGKILL)
    assert go.stdin is not None
    go.stdin.close()
    go.wait()
