"""The processes that a host has started: programs, policy packs, installers. They end with it."""

import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Final

_GRACE_SECONDS: Final = 2.0
_CHUNK: Final = 1 << 16

# Ctrl-C reaches the whole process group, and Python would print a traceback. The children ignore it; the host ends them
# with SIGTERM.
_IGNORE_INTERRUPTS: Final = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")


class Children:
    """Starts processes, and ends those that still run."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._ended = False

    @contextmanager
    def started(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], output: int | None = None
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A running child, which is ended with the block. ``output`` is the ``stdout`` and ``stderr`` of ``Popen``."""
        with self._lock:
            if self._ended:
                raise InterruptedError("the language host is ending")
            child = subprocess.Popen(
                [*_IGNORE_INTERRUPTS, *command],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            self._running.add(child)
        try:
            yield child
        finally:
            end(child)
            with self._lock:
                self._running.discard(child)

    def end(self) -> None:
        """Ends every child, and refuses to start another."""
        with self._lock:
            self._ended = True
            running = tuple(self._running)
        for child in running:
            child.terminate()
        for child in running:
            end(child)

    @property
    def ended(self) -> bool:
        return self._ended


def end(child: "subprocess.Popen[bytes]") -> None:
    """Terminates a process, and kills it if it does not end in time."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def chunks(child: "subprocess.Popen[bytes]") -> Iterator[tuple[str, bytes]]:
    """The output of a child as it arrives: ``("stdout" | "stderr", bytes)`` until both streams are closed."""
    queue: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    def read(name: str, stream: IO[bytes] | None) -> None:
        assert stream is not None, "the child was started without pipes; this is a bug in the language host"
        while chunk := stream.read1(_CHUNK):  # type: ignore[attr-defined]  # Popen's pipes are BufferedReaders
            queue.put((name, chunk))
        queue.put((name, b""))

    for name, stream in (("stdout", child.stdout), ("stderr", child.stderr)):
        threading.Thread(target=read, args=(name, stream), daemon=True).start()
    still_open = 2
    while still_open:
        name, chunk = queue.get()
        if chunk:
            yield name, chunk
        else:
            still_open -= 1
