"""Which requests get into trouble, and into which."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from aiohttp import web

Trouble = int | Literal["timeout", "reset", "lost"]
"""An HTTP status; ``timeout``: no answer for as long as the client waits; ``reset``: the connection breaks before the
request is passed on; ``lost``: it is passed on and done, and then the connection breaks."""

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
"""Reason and text as the real server has them (k8s.io/apimachinery, pkg/api/errors)."""


@dataclass(slots=True)
class Call:
    """One request; ``status`` is what the client was answered, 0 while or because it got no answer."""

    method: str
    path: str
    """Without the query."""
    status: int = 0
    body: str = field(default="", compare=False, repr=False)


@dataclass(slots=True)
class Rule:
    """For requests of ``method`` (``None``: any) with ``path`` and ``body`` found in theirs: the first ``skip`` pass,
    the next ``times`` (``None``: all) do not.
    """

    method: str | None
    path: re.Pattern[str]
    body: re.Pattern[str]
    skip: int
    times: int | None
    trouble: Trouble | None = None
    retry_after: int | None = None
    do: Callable[[], object] | None = None
    """Called before the request goes on its way."""
    under_way: asyncio.Future[object] | None = None
    """The call of ``do``, from its beginning; requests like the one that began it wait for it as well."""

    def is_about(self, call: Call) -> bool:
        """Whether this is a request of its kind."""
        of_method = self.method in (None, call.method)
        return of_method and bool(self.path.search(call.path) and self.body.search(call.body))

    def applies(self, call: Call) -> bool:
        """Whether it is this request's turn; counts."""
        if self.times == 0 or not self.is_about(call):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


def refusal(status: int, retry_after: int | None) -> web.Response:
    """An answer as the real server words it."""
    reason, message = REASONS.get(status, ("", f"the server answered {status}"))
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
