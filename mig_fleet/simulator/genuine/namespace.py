"""An unprivileged user and mount namespace in which programs see the files of a node."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from mig_fleet.simulator.errors import NotStarted
from mig_fleet.simulator.genuine import node_files

PROGRAM: Final = Path(__file__).with_name("inside.py")
TIMEOUT_S: Final = 120.0


def command_inside(
    folder: Path, command: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> list[str]:
    """The command that enters a namespace, with the node's files in ``folder``, and becomes ``command``."""
    node_files.prepare(folder)
    settings = {
        "folder": str(folder),
        "mounts": node_files.MOUNTS,
        "proc": node_files.PROC,
        "command": list(command),
        "environment": dict(environment or {}),
    }
    return [sys.executable, "-I", "-S", str(PROGRAM), json.dumps(settings)]


@dataclass(frozen=True, slots=True)
class Finished:
    """Exit status and output of a program; status 124 if it did not end in time."""

    code: int
    stdout: str
    stderr: str


class Namespace:
    """A warm namespace: programs start in it without new mounts, and :meth:`run` takes one at a time.

    Raises :class:`NotStarted` with the reason if this machine allows no such namespace.
    """

    def __init__(self, folder: Path) -> None:
        """``folder`` holds the node's files (:mod:`~mig_fleet.simulator.genuine.node_files`)."""
        self._process = subprocess.Popen(
            command_inside(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        answer = self._read()
        if "error" in answer:
            self.close()
            raise NotStarted(f"this machine allows no unprivileged mount namespace: {answer['error']}")

    def run(self, command: Sequence[str], environment: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Finished:
        """Run a program to its end, with this environment only."""
        request = {"command": list(command), "environment": dict(environment), "timeout": timeout_s}
        assert self._process.stdin is not None, "the process was started with a pipe"
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise NotStarted("the process inside the namespace has ended") from None
        return Finished(**self._read())

    def close(self) -> None:
        """End the process, and with it the namespace and its mounts."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None, "the process was started with a pipe"
        line = self._process.stdout.readline()
        if not line:
            raise NotStarted("the process inside the namespace has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


def require_namespaces() -> None:
    """Raises :class:`NotStarted` where NVIDIA's programs cannot run on simulated nodes."""
    reason = why_unavailable()
    if reason is not None:
        raise NotStarted(f"NVIDIA's programs cannot run here: {reason}")


def why_unavailable() -> str | None:
    """Why this machine allows no such namespace, or None if it does."""
    with tempfile.TemporaryDirectory(prefix="mig-namespace-") as folder:
        try:
            with Namespace(Path(folder)):
                return None
        except NotStarted as exc:
            return str(exc)
