"""Builds a family of tools with Go, from the committed go.mod and go.sum and the module proxy.

The committed sums replace the checksum database, ``-mod=readonly`` keeps Go from changing them, and
``GOTOOLCHAIN=local`` keeps it from downloading another Go. The user's Go settings decide on the proxy and the caches.
"""

import os
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from mig_fleet.toolchain import pins, share, versions
from mig_fleet.toolchain.environment import Environment
from mig_fleet.toolchain.errors import BuildFailed, CannotBuild
from mig_fleet.toolchain.pins import Family, Recipe

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
        """Builds the family's tools into a folder. ``log``, a new file, gets Go's output, from which
        :class:`~mig_fleet.toolchain.share.Share` reads how far the build is.

        An interrupt also ends Go and its compilers. Raises :class:`BuildFailed`.
        """
        recipe = family.recipe
        # Go names the file after the package ("server" for etcd), so one package gets the tool's name as output file.
        target = f"{into / family.tools[0]}" if len(recipe.packages) == 1 else f"{into}{os.sep}"
        with log.open("a") as output, tempfile.TemporaryFile("w+") as listing:
            # This downloads the sources and lists which packages the build compiles.
            code = self._run(recipe, ["list", "-deps", "-f", share.LISTING], listing, output, environment)
            if code == 0:
                listing.seek(0)
                output.write(share.head(listing))
                output.flush()
                code = self._run(recipe, ["build", "-v", "-o", target], output, output, environment)
        if code != 0:
            with log.open() as lines:
                last = "".join(deque(share.without_progress(lines), maxlen=_LAST_LINES)).rstrip()
            raise BuildFailed(f"{family.title} {family.version}", last or f"(none; exit code {code})", log)

    @contextmanager
    def read_ahead(self, families: Iterable[Family], environment: Environment) -> Iterator[None]:
        """Downloads the sources of families that are built later, at most until the end of the block."""
        nothing = subprocess.DEVNULL
        readers = [self._start(each.recipe, ["list", "-deps"], nothing, nothing, environment) for each in families]
        try:
            yield
        finally:
            for go in readers:
                _end(go)

    def _run(
        self, recipe: Recipe, command: list[str], output: IO[str], errors: IO[str], environment: Environment
    ) -> int:
        """Runs Go on the recipe's packages; the exit code."""
        go = self._start(recipe, command, output, errors, environment)
        try:
            return go.wait()
        finally:
            _end(go)

    def _start(
        self, recipe: Recipe, command: list[str], output: IO[str] | int, errors: IO[str] | int, environment: Environment
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*_END_WITH_PARENT, str(self.path), *command, *recipe.flags, *recipe.packages],
            cwd=recipe.folder,
            env={**environment.variables, **_SETTINGS, **recipe.environment, "CGO_ENABLED": "1" if recipe.cgo else "0"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )


def _end(go: "subprocess.Popen[bytes]") -> None:
    """Kills the process group after an interrupt; after a normal end only closes the pipe, which ends the shell."""
    if go.poll() is None:
        os.killpg(go.pid, signal.SIGKILL)
    assert go.stdin is not None
    go.stdin.close()
    go.wait()
