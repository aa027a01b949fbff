"""One gRPC call over a Unix socket, without arguments and with one answer.

The protocol: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. HTTP/2 is from the library h2, which is
pure Python; gRPC's own package is compiled, and a stock Python lacks it.
"""

import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

NO_ARGUMENTS = bytes(5)
"""An empty message: not compressed, and of length 0."""
PREFIX_BYTES = 5
CHUNK_BYTES = 65536
MAX_DETAIL = 200
"""Characters of another program's text in an error."""


class CallFailed(Exception):
    """There is no answer. The text says why, on one line."""


def call(path: Path, method: str, timeout_s: float, max_bytes: int) -> bytes:
    """The answer of ``/<service>/<name>``. Raises CallFailed after ``timeout_s`` seconds, or above ``max_bytes``."""
    exchange = _Exchange(time.monotonic() + timeout_s, max_bytes)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            exchange.run(connection, path, method)
        return exchange.message()
    except CallFailed:
        raise
    except TimeoutError:
        raise CallFailed(f"no answer within {timeout_s:g} s") from None
    except OSError as exc:
        raise CallFailed(exc.strerror or str(exc)) from None
    except Exception as exc:
        # What another program sends can be anything, and h2 has an error for each kind of it.
        raise CallFailed(f"the answer is not gRPC: {_one_line(f'{type(exc).__name__}: {exc}')}") from None


class _Exchange:
    """What one call sends and receives."""

    def __init__(self, deadline: float, max_bytes: int) -> None:
        self._deadline, self._max_bytes = deadline, max_bytes
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._is_over = False

    def run(self, connection: socket.socket, path: Path, method: str) -> None:
        connection.settimeout(self._left_s())
        connection.connect(str(path))
        self._h2.initiate_connection()
        stream = self._h2.get_next_available_stream_id()
        self._h2.send_headers(
            stream,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", method),
                (":authority", "localhost"),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
            ],
        )
        self._h2.send_data(stream, NO_ARGUMENTS, end_stream=True)
        while not self._is_over:
            connection.settimeout(self._left_s())
            connection.sendall(self._h2.data_to_send())
            connection.settimeout(self._left_s())
            received = connection.recv(CHUNK_BYTES)
            if not received:
                raise CallFailed("the connection was closed without an answer")
            for event in self._h2.receive_data(received):
                self._handle(event)

    def message(self) -> bytes:
        """The received message. Raises CallFailed."""
        http, status = self._headers.get(b":status"), self._headers.get(b"grpc-status")
        if status is None:
            raise CallFailed(f"the answer is not gRPC: HTTP status {_text(http)} without a gRPC status")
        if status != b"0":
            detail = unquote(_text(self._headers.get(b"grpc-message")))
            raise CallFailed(_one_line(f"gRPC status {_text(status)}: {detail}"))
        is_compressed, length = self._body[:1] != b"\0", int.from_bytes(self._body[1:PREFIX_BYTES])
        if is_compressed or length != len(self._body) - PREFIX_BYTES:
            raise CallFailed("the answer is not one uncompressed gRPC message")
        return bytes(self._body[PREFIX_BYTES:])

    def _handle(self, event: Any) -> None:
        if isinstance(event, events.ResponseReceived | events.TrailersReceived):
            self._headers |= dict(event.headers)
        elif isinstance(event, events.DataReceived):
            self._body += event.data
            if len(self._body) > self._max_bytes:
                raise CallFailed(f"the answer is longer than {self._max_bytes} bytes")
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            self._is_over = True
        elif isinstance(event, events.StreamReset | events.ConnectionTerminated):
            raise CallFailed(f"the call was ended with HTTP/2 error {int(event.error_code or 0)}")

    def _left_s(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_DETAIL]
