"""HTTP that gives up early: three seconds to connect, name look-up included, five without a byte.

``urllib`` knows one timeout for everything and none for name look-ups; behind a firewall that drops packets either
would turn "no network" into minutes. Proxies and redirects are urllib's, as everywhere.
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


def impatient() -> urllib.request.OpenerDirector:
    """An opener whose every request fails within seconds when nobody answers.

    It raises what urllib raises: ``HTTPError`` for an answer that is no success, ``URLError`` or ``TimeoutError`` for
    none.
    """
    return urllib.request.build_opener(_Plain, _Safe)


def _resolve(host: str, port: int) -> None:
    """Looks the name up within the time to connect; the resolver's own patience would be ten seconds and more."""
    answer: list[OSError | None] = []

    def ask() -> None:
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.append(None)
        except OSError as problem:
            answer.append(problem)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(CONNECT_SECONDS)
    if not answer:
        raise TimeoutError(f"no answer for the name {host}")
    if answer[0] is not None:
        raise answer[0]
