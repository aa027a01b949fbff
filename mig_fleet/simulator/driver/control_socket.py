"""The socket through which the NVML library changes a driver: one connection for each request."""

import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mig_fleet.simulator.driver.control import perform
from mig_fleet.simulator.driver.state import DriverFile

CONTROL_VARIABLE: Final = "MIG_SIMULATOR_CONTROL"
"""Environment variable with the path of the socket; a process without it may change nothing."""


class _Requests(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        request = self.rfile.readline(256).decode(errors="replace")
        with self.server.file.change() as driver:
            code, value = perform(driver, request)
        self.wfile.write(f"{code} {value}\n".encode())


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, file: DriverFile) -> None:
        super().__init__(path, _Requests)
        self.file = file


@contextmanager
def control_socket(file: DriverFile) -> Iterator[Path]:
    """Answer requests for the driver of ``file`` until the end of the block; yields the path of the socket.

    It lies in a temporary folder of its own, because the path of a socket has at most 107 bytes.
    """
    with tempfile.TemporaryDirectory(prefix="mig-control-") as folder:
        path = Path(folder, "control")
        with _Server(str(path), file) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield path
            finally:
                server.shutdown()
                thread.join()
