"""Forks the Python processes of an engine under test: `python -P server.py SOCKET`.

It imports what they would import, then waits at the socket for the program of `python.c`. A fork has the arguments,
environment, folder and streams of that process, and runs the module or the file that they name as Python would, except
that a traceback begins with frames of this file. The server ends, and its forks with it, when its stdin is closed.
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
import shutil
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

LIBRARIES: Final = ("kubernetes", "pulumi.dynamic", "pulumi.policy")
PACKAGES: Final = ("components", "language_host", "monitoring", "observed", "policy", "rollout", "stack_file", "stacks")
"""Of `mig_fleet`, with all of their modules."""
_LENGTH: Final = struct.Struct("I")
_STATUS: Final = struct.Struct("h")
_PASSED_ON: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_RECEIVED_S: Final = 10.0
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
        """Raises OSError for a process that was killed before it had sent its request."""
        connection.settimeout(_RECEIVED_S)
        head, streams, _, _ = socket.recv_fds(connection, _LENGTH.size, 3)
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
        message = b""
        while len(message) < length and (more := connection.recv(length - len(message))):
            message += more
        connection.settimeout(None)
        if not message or len(message) < length:
            for stream in streams:
                os.close(stream)
            raise ConnectionError("a part of the request is missing")
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
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 (it stays open)
        sys.stdout, sys.stderr = _unbuffered(1, "strict"), _unbuffered(2, "backslashreplace")
        os.environb.clear()
        os.environb.update(self.environment)
        os.chdir(self.folder)
        os.getppid = self._parent(os.getppid)
        sys.executable = str(Path(self.folder, self.arguments[0]))
        for number in _PASSED_ON:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN if self.ignores_interrupts else signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)

    def _parent(self, of_this_process: Callable[[], int]) -> Callable[[], int]:
        """`os.getppid` of a fork: the parent of the process that it is forked for."""
        status, fork = Path(f"/proc/{self.process}/status"), os.getpid()

        def parent() -> int:
            if os.getpid() != fork:
                return of_this_process()
            try:
                return int(status.read_text().partition("\nPPid:")[2].split()[0])
            except (OSError, IndexError):
                return 1

        return parent

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
        except KeyboardInterrupt:
            sys.excepthook(*sys.exc_info())
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            status = 1
        _end(status)


def _unbuffered(stream: int, errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(open(stream, "wb", 0, closefd=False), errors=errors, write_through=True)


def _end(status: object) -> NoReturn:
    """End as Python does, except that no module is taken apart: all of them together take a tenth of a second."""
    threading._shutdown()  # type: ignore[attr-defined]  # as the forks of `multiprocessing` do
    atexit._run_exitfuncs()
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF if isinstance(status, int) else int(status is not None))


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
        except OSError:
            connection.close()
            return None
        # A signal for the fork waits until it has its handlers; `become` lets it through.
        signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
        process = os.fork()
        if process == 0:
            self._close(connection)
            return request
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
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
        """The exit status of a fork, or the signal that ended it as a negative number."""
        connection, ended = self._running.pop(process)
        self._selector.unregister(ended)
        if connection in self._selector.get_map():
            self._selector.unregister(connection)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        with contextlib.suppress(ConnectionError):
            connection.send(_STATUS.pack(status))
        connection.close()
        os.close(ended)

    def _end(self) -> NoReturn:
        for process, (_, ended) in self._running.items():
            signal.pidfd_send_signal(ended, signal.SIGKILL)
            os.waitpid(process, 0)
        shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)
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
        threads = [*Path("/proc/self/task").iterdir()]
        assert len(threads) == 1, f"a fork would lack {len(threads) - 1} threads that an import has started"
        gc.collect()
        gc.freeze()
        gc.enable()
        # Ctrl-C reaches all processes of the tests. They close stdin when they end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        listener.bind(sys.argv[1])
        listener.listen(64)
        print("ready", flush=True)
        request = Forks(listener).next_request()
    request.become()
    request.run()


if __name__ == "__main__":
    main()
