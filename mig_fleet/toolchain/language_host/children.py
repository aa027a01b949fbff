"""The processes a host has started: programs, policy packs, installers. They never outlive it."""

import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Final

_GRACE_SECONDS: Final = 2.0
_CHUNK: Final = 1 << 16

# Ctrl-C reaches the whole process group, and Python would answer it with a traceback. A child that was started with
# the signal ignored never sees it; the host ends its children itself, by SIGTERM.
_DEAF_TO_INTERRUPTS: Final = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")


class Children:
    """Starts processes and ends those that are left."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._over = False

    @contextmanager
    def started(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], output: int | None = None
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A running child; it is gone when the block ends. ``output`` as subprocess takes it, for both streams."""
        with self._lock:
            if self._over:
                raise InterruptedError("the language host is ending")
            child = subprocess.Popen(
                [*_DEAF_TO_INTERRUPTS, *command],
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
        """Ends every child, and lets no new one start."""
        with self._lock:
            self._over = True
            running = tuple(self._running)
        for child in running:
            child.terminate()
        for child in running:
            end(child)

    @property
    def over(self) -> bool:
        return self._over


def end(child: "subprocess.Popen[bytes]") -> None:
    """Asks a process to end, and makes it."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def chunks(child: "subprocess.Popen[bytes]") -> Iterator[tuple[str, bytes]]:
    """What a child writes, as it writes it: ``("stdout" | "stderr", bytes)`` until both streams are closed."""
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
