"""Forks the Python processes of an engine under test: `python -P server.py FOLDER`.

It imports what they would import, then waits at ``FOLDER/socket`` for the program of `python.c`. A fork has the
arguments, environment, folder and streams of that process, and runs the module or the file that they name as Python
would. The server ends, and its forks with it, when its stdin is closed.
"""

import atexit
import contextlib
import gc
import importlib
import io
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

LIBRARIES: Final = ("kubernetes", "pulumi.dynamic", "pulumi.policy")
PACKAGES: Final = ("components", "language_host", "monitoring", "observed", "policy", "rollout", "stack_file", "stacks")
"""Of `mig_fleet`, with all of their modules."""
_LENGTH: Final = struct.Struct("I")
_WITHOUT_FOLDER: Final = {"-P", "-I"}
"""Options with which Python does not search the program's own folder."""


@dataclass(frozen=True)
class Request:
    """What a process of `python.c` was started with."""

    process: int
    """Its number."""
    streams: list[int]
    ignores_interrupts: bool
    folder: str
    arguments: list[str]
    """With the path of `python.c`'s program as the first one."""
    environment: dict[bytes, bytes]

    @classmethod
    def receive(cls, connection: socket.socket) -> "Request":
        """Raises ConnectionError."""
        head, streams, _, _ = socket.recv_fds(connection, _LENGTH.size, 3)
        length = _LENGTH.unpack(head)[0] if head else 0
        with connection.makefile("rb") as file:
            message = file.read(length)
        if not message or len(message) < length:
            for stream in streams:
                os.close(stream)
            raise ConnectionError("the process was killed before it had sent its request")
        ignores, folder, number, *rest = message.split(b"\0")[:-1]
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 3 * _LENGTH.size)
        arguments, environment = rest[: int(number)], rest[int(number) :]
        return cls(
            _LENGTH.unpack_from(credentials)[0],
            streams,
            ignores == b"1",
            os.fsdecode(folder),
            [*map(os.fsdecode, arguments)],
            dict(each.split(b"=", 1) for each in environment),
        )

    def become(self) -> None:
        """Make this process what Python would have made of the request, up to its first line."""
        for number, stream in enumerate(self.streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 (they stay open)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(open(number, "wb", 0, closefd=False), write_through=True)  # noqa: SIM115
            for number in (1, 2)
        )
        os.environb.clear()
        os.environb.update(self.environment)
        os.chdir(self.folder)
        signal.signal(signal.SIGINT, signal.SIG_IGN if self.ignores_interrupts else signal.default_int_handler)
        status = Path(f"/proc/{self.process}/status")
        os.getppid = lambda: int(status.read_text().partition("\nPPid:")[2].split()[0])
        sys.executable = str(Path(self.folder, self.arguments[0]))

    def run(self) -> NoReturn:
        """Run the module or the file, to the end of this process."""
        options = list[str]()
        arguments = self.arguments[1:]
        while arguments[0].startswith("-"):
            options.append(arguments.pop(0))
        is_module = "-m" in options
        if _WITHOUT_FOLDER.isdisjoint(options):
            sys.path.insert(0, self.folder if is_module else str(Path(arguments[0]).resolve().parent))
        sys.argv = arguments
        status: object = 0
        try:
            if is_module:
                runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(arguments[0], run_name="__main__")
        except SystemExit as end:
            status = end.code
        except BaseException:
            traceback.print_exc()
            status = 1
        _end(status)


def _end(status: object) -> NoReturn:
    """End as Python does, except that no module is taken apart: all of them together take a tenth of a second."""
    threading._shutdown()  # type: ignore[attr-defined]  # as the forks of `multiprocessing` do
    atexit._run_exitfuncs()
    if isinstance(status, str):
        print(status, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


class Forks:
    """The connections of processes whose forks run."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, tuple[socket.socket, int]] = {}
        """Of a fork: its connection, and the file descriptor that is readable when it has ended."""
        self._selector.register(listener, selectors.EVENT_READ, self._fork)
        self._selector.register(0, selectors.EVENT_READ, self._end)

    def next_request(self) -> Request:
        """Returns in each fork, with its request; never in the server."""
        request = None
        while request is None:
            # One event at a time: what is done for the first may close the file of the second.
            for key, _ in self._selector.select()[:1]:
                act: Callable[[], Request | None] = key.data
                request = act()
        return request

    def _fork(self) -> Request | None:
        connection, _ = self._listener.accept()
        try:
            request = Request.receive(connection)
        except ConnectionError:
            connection.close()
            return None
        process = os.fork()
        if process == 0:
            self._close(connection)
            return request
        for stream in request.streams:
            os.close(stream)
        ended = os.pidfd_open(process)
        self._running[process] = connection, ended
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._pass_on(process))
        self._selector.register(ended, selectors.EVENT_READ, lambda: self._report(process))
        return None

    def _close(self, connection: socket.socket) -> None:
        """In a fork: the connections of others would stay open with it."""
        for each, ended in self._running.values():
            each.close()
            os.close(ended)
        connection.close()
        self._listener.close()
        self._selector.close()

    def _pass_on(self, process: int) -> None:
        """A signal that the process of a fork has got; SIGKILL if it ended."""
        connection, ended = self._running[process]
        try:
            numbers = connection.recv(16)
        except ConnectionError:
            numbers = b""
        for number in numbers or [signal.SIGKILL]:
            signal.pidfd_send_signal(ended, number)
        if not numbers:
            self._selector.unregister(connection)

    def _report(self, process: int) -> None:
        """The exit status of a fork, as a shell has it."""
        connection, ended = self._running.pop(process)
        self._selector.unregister(ended)
        if connection in self._selector.get_map():
            self._selector.unregister(connection)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        with contextlib.suppress(ConnectionError):
            connection.send(bytes([status if status >= 0 else 128 - status]))
        connection.close()
        os.close(ended)

    def _end(self) -> NoReturn:
        for _, ended in self._running.values():
            signal.pidfd_send_signal(ended, signal.SIGKILL)
        sys.exit(0)


def modules() -> Iterator[str]:
    """What the processes of an engine import."""
    yield from LIBRARIES
    for package in PACKAGES:
        folder = importlib.import_module(f"mig_fleet.{package}").__path__
        for each in pkgutil.walk_packages(folder, f"mig_fleet.{package}."):
            if not each.name.endswith(("__main__", "language_host.program", "language_host.installed")):
                yield each.name


def main() -> NoReturn:
    with socket.socket(socket.AF_UNIX) as listener:
        gc.disable()
        for name in modules():
            importlib.import_module(name)
        assert threading.active_count() == 1, f"a fork has no threads of {threading.enumerate()}"
        gc.collect()
        gc.freeze()
        gc.enable()
        # Ctrl-C reaches all processes of the tests. They close stdin when they end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        listener.bind(f"{sys.argv[1]}/socket")
        listener.listen(64)
        print("ready", flush=True)
        request = Forks(listener).next_request()
    request.become()
    request.run()


if __name__ == "__main__":
    main()
