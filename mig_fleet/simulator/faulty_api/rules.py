"""Rules: which requests fail, and how."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from aiohttp import web

ApiFault = int | Literal["timeout", "reset", "lost"]
"""An HTTP status; ``timeout``: no response while the client waits; ``reset``: the connection breaks before the request
is forwarded; ``lost``: the request is forwarded and executed, but the connection breaks before the response."""

REASONS: Final = {
    403: ("Forbidden", "the request is forbidden"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: (
        "Conflict",
        "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version "
        "and try again",
    ),
    429: ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
    500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the server was unable to return a response in the time allotted"),
}
"""Reason and text of the real server (k8s.io/apimachinery, pkg/api/errors)."""


@dataclass(slots=True)
class Call:
    """One request; ``status`` is the HTTP status that the client received, 0 without a response (yet)."""

    method: str
    path: str
    """Without the query."""
    status: int = 0
    body: str = field(default="", compare=False, repr=False)


@dataclass(slots=True)
class Rule:
    """Applies to requests of ``method`` (``None``: any) that match the patterns ``path`` and ``body``.

    The first ``skip`` of them pass, the next ``times`` (``None``: all) do not.
    """

    method: str | None
    path: re.Pattern[str]
    body: re.Pattern[str]
    skip: int
    times: int | None
    fault: ApiFault | None = None
    retry_after: int | None = None
    do: Callable[[], object] | None = None
    """Called before the request is forwarded."""
    running: asyncio.Future[object] | None = None
    """The call of ``do``, once started; other requests that match wait for it too."""

    def matches(self, call: Call) -> bool:
        """Whether method, path and body match."""
        same_method = self.method in (None, call.method)
        return same_method and bool(self.path.search(call.path) and self.body.search(call.body))

    def applies(self, call: Call) -> bool:
        """Whether the rule applies to this request; counts down ``skip`` and ``times``."""
        if self.times == 0 or not self.matches(call):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


def error_response(status: int, retry_after: int | None) -> web.Response:
    """An error response with the real server's text; ``retry_after`` in seconds."""
    reason, message = REASONS.get(status, ("", f"the server returned {status}"))
    body: dict[str, object] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": status,
    }
    if retry_after is None:
        return web.json_response(body, status=status)
    body["details"] = {"retryAfterSeconds": retry_after}
    return web.json_response(body, status=status, headers={"Retry-After": str(retry_after)})
