"""An answer of the API server without an end: JSON objects, one in each line, as a watch sends them."""

import json
import select
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

Json = dict[str, Any]

CHUNK_BYTES = 65536
"""More than a record of TLS (RFC 8446, 5.1: 16 KiB): none is left in a buffer, where no arrival would announce it."""
MAX_BYTES = 4 * 2**20
"""Of one line; an object of the API server is smaller (etcd's bound is 1.5 MB)."""
KEEP_ALIVE = {
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1,
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): 10,
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): 5,
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): 2,
}
"""A peer that is gone without a word is noticed after 20 seconds."""
END_OF_HEADERS = b"\r\n\r\n"


class Refused(OSError):
    """The answer has another status than 200; ``body`` is its beginning."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


class JsonStream:
    """One request on a connection of its own. :meth:`receive` waits without blocking longer than it is asked to."""

    def __init__(self, connection: socket.socket, path: str, headers: Mapping[str, str]) -> None:
        """Send the request and read the head of the answer, within the connection's timeout. Raises OSError."""
        self._socket, self._rest = connection, b""
        for option, value in KEEP_ALIVE.items():
            connection.setsockopt(*option, value)
        # The body of an answer to HTTP/1.0 is not in chunks, and ends with the connection (RFC 1945, 7.2.2).
        lines = [f"GET {path} HTTP/1.0", *(f"{name}: {value}" for name, value in headers.items())]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        while END_OF_HEADERS not in self._rest:
            self._extend(connection.recv(CHUNK_BYTES))
        head, _, self._rest = self._rest.partition(END_OF_HEADERS)
        status = head.split(b" ", 2)[1:2]
        if status != [b"200"]:
            with suppress(OSError):
                while len(self._rest) < CHUNK_BYTES:
                    self._extend(connection.recv(CHUNK_BYTES))
            raise Refused(int(status[0]) if status and status[0].isdigit() else 0, self._rest)
        connection.setblocking(False)
        self._arrivals = select.poll()
        self._arrivals.register(connection, select.POLLIN)

    def receive(self, within_s: float) -> list[Json]:
        """The next objects as soon as there are some, or none after ``within_s`` seconds.

        Raises OSError or ValueError once the stream has ended or is none.
        """
        *lines, self._rest = self._rest.split(b"\n")
        if not lines:
            if self._arrivals.poll(max(0.0, within_s) * 1000):
                with suppress(BlockingIOError, ssl.SSLWantReadError):
                    self._extend(self._socket.recv(CHUNK_BYTES))
            *lines, self._rest = self._rest.split(b"\n")
        found = [json.loads(line) for line in lines if line.strip()]
        if not all(isinstance(each, dict) for each in found):
            raise ValueError("it is no stream of JSON objects")
        return found

    def close(self) -> None:
        self._socket.close()

    def _extend(self, received: bytes) -> None:
        if not received:
            raise ConnectionResetError("the server ended it")
        self._rest += received
        if len(self._rest) > MAX_BYTES:
            raise ValueError(f"a line is longer than {MAX_BYTES} bytes")
