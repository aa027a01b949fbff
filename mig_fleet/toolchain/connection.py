"""HTTP with short timeouts: 3 seconds to connect, including the name resolution, and 5 seconds without a byte.

``urllib`` has one timeout for all steps and none for the name resolution. Behind a firewall that drops packets, either
takes minutes to fail. Proxies and redirects are handled by urllib.
"""

import http.client
import socket
import threading
import urllib.request
from typing import Final

CONNECT_SECONDS: Final = 3.0
STALLED_SECONDS: Final = 5.0


class _PlainConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        _resolve(self.host, self.port)
        self.timeout = CONNECT_SECONDS
        super().connect()
        self.sock.settimeout(STALLED_SECONDS)


class _SafeConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        _resolve(self.host, self.port)
        self.timeout = CONNECT_SECONDS
        super().connect()
        self.sock.settimeout(STALLED_SECONDS)


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_PlainConnection, req)


class _Safe(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SafeConnection, req)


def opener_with_timeouts() -> urllib.request.OpenerDirector:
    """An opener whose requests fail within seconds if the server does not answer.

    It raises what urllib raises: ``HTTPError`` for an HTTP error status, ``URLError`` or ``TimeoutError`` without an
    answer.
    """
    return urllib.request.build_opener(_Plain, _Safe)


def _resolve(host: str, port: int) -> None:
    """Resolves the name within ``CONNECT_SECONDS``; the resolver's own timeout is ten seconds or more."""
    results: list[OSError | None] = []

    def resolve() -> None:
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            results.append(None)
        except OSError as problem:
            results.append(problem)

    resolver = threading.Thread(target=resolve, daemon=True)
    resolver.start()
    resolver.join(CONNECT_SECONDS)
    if not results:
        raise TimeoutError(f"the name {host} was not resolved in time")
    if results[0] is not None:
        raise results[0]
