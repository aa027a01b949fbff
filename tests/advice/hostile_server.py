"""An HTTP server that answers every request with bytes of a test's choice, and keeps what it was sent."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Answer = Callable[[socket.socket, threading.Event], None]
"""Writes an answer; it ends when the event is set."""


@dataclass
class HostileServer:
    """Its address, and the requests that it was sent."""

    url: str
    requests: list[bytes] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [request.split(b" ")[1].decode() for request in self.requests]


def sends(body: bytes, status: str = "200 OK", *headers: str, kind: str = "application/json") -> Answer:
    """An answer as a server should send it."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return sends_raw("\r\n".join([*lines, "", ""]).encode() + body)


def sends_raw(data: bytes) -> Answer:
    def answer(client: socket.socket, _stop: threading.Event) -> None:
        client.sendall(data)

    return answer


@contextmanager
def serving(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[HostileServer]:
    """A server on this machine, with TLS if it has a context."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        scheme = "https" if context else "http"
        server = HostileServer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=_serve, args=(listener, context, answer, server, stop), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            stop.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def _serve(
    listener: socket.socket,
    context: ssl.SSLContext | None,
    answer: Answer,
    server: HostileServer,
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        raw, _ = listener.accept()
        with raw:
            try:
                with context.wrap_socket(raw, server_side=True) if context else raw as client:
                    request = b""
                    while b"\r\n\r\n" not in request and (chunk := client.recv(65536)):
                        request += chunk
                    if request:
                        server.requests.append(request)
                        answer(client, stop)
            except OSError:  # the client has left
                continue
