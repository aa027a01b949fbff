"""A connection to a user's API server: bounded requests, plain JSON answers, errors that name the request.

Answers are plain JSON dictionaries, or the few fields of them that are asked for: the client's typed models cost
seconds for a thousand nodes and are not needed here.
"""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict, TypeVar

import msgspec

from mig_fleet.cluster.errors import (
    ClusterError,
    ClusterUnreachable,
    Conflict,
    Forbidden,
    Invalid,
    NoCredentials,
    NotFound,
    TooManyRequests,
)
from mig_fleet.cluster.interruption import interruption
from mig_fleet.cluster.lists import BROKEN, decode_items
from mig_fleet.cluster.reasons import request_reason
from mig_fleet.cluster.session import session
from mig_fleet.cluster.timeouts import call_within
from mig_fleet.confidential import masked, masked_address
from mig_fleet.foreign_text import printable

T = TypeVar("T")
Json = dict[str, Any]

CALL_TIMEOUT_S = 10
"""Seconds without a byte, on connecting and between two reads: a preview must fail, not hang."""
WHOLE_CALL_S = 60
"""Seconds for one call, from connecting to the last byte: enough for a large fleet's nodes over a slow line."""

LONGEST_QUOTED = 1 << 20
"""Bytes of an answer that is not JSON, or that refuses the request."""

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""An object without its content (Kubernetes API concepts, metadata-only fetches)."""

BUSY = (429, 500, 502, 503, 504)
"""Status codes of a temporary failure; the request was not carried out and is retried."""

TRIES = {"GET": 2}
MOST_TRIES = 4
"""A write is retried more often than a read; all our writes can be repeated."""
FIRST_PAUSE_S = 0.5


class ClusterArgs(TypedDict, total=False):
    """Which cluster. Inputs are stored, so contents of a kubeconfig are there as a secret, and are never printed."""

    kubeconfig: str
    """A path, or contents."""
    context: str
    inCluster: bool
    """The service account of the pod in which this process runs."""
    onUnreachable: str
    """``fail`` (default) or ``warn``: whether a preview continues when the API server does not answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; as text ``GET /api/v1/nodes``, for messages."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Json | None = None
    content_type: str = "application/json"
    accept: str = "application/json"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Connection:
    """Reads the kubeconfig unless a session for it is open; makes no call when it is created."""

    def __init__(self, args: ClusterArgs | Mapping[str, Any] | None = None) -> None:
        self._session = session(dict(args or {}))
        self.settings = self._session.settings
        self.server = masked_address(self.settings.host)
        """The API server's address, for messages: without a password."""
        self.context: str = self._session.context
        """The context that is used: the given one, or the kubeconfig's current one."""
        self.server_time: datetime | None = None
        """The API server's clock in its last answer; ``None`` before the first, and from a server that sends no
        ``Date``."""

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """An object or a list by its path."""
        return self.call("GET", path, query)

    def metadata(self, path: str) -> Json:
        """An object without its content, which may be large."""
        request = Request("GET", path, accept=METADATA_ONLY)
        return self._decode(request, self._answer(request), dict[str, Any])

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """An answer that is not JSON, such as a log."""
        return self._answer(Request("GET", path, query, accept="*/*")).decode(errors="replace")

    def read(self, path: str, shape: type[T], query: Mapping[str, str] | None = None) -> T:
        """The fields of an object or a list that ``shape`` has."""
        request = Request("GET", path, query)
        return self._decode(request, self._answer(request), shape)

    def read_items(
        self, path: str, shape: type[T], query: Mapping[str, str] | None = None
    ) -> tuple[list[T], dict[str, str]]:
        """The fields of each object of a list that ``shape`` has; and by name, why others could not be read."""
        request = Request("GET", path, query)
        answer = self._answer(request)
        with contextlib.suppress(*BROKEN):
            return decode_items(answer, shape)
        raise self._no_api_server(request, answer)

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
        tries: int | None = None,
    ) -> Json:
        """One request, retried when the server is busy or the connection broke; raises :class:`ClusterError`.

        ``tries`` counts all attempts; the default is :data:`TRIES` for the method.
        """
        request = Request(method, path, query, body, content_type)
        return self._decode(request, self._answer(request, tries), dict[str, Any])

    def _answer(self, request: Request, tries: int | None = None) -> bytes:
        if interruption.left_s() <= 0:
            raise ClusterUnreachable(f"the cluster at {self.server} does not answer since the interrupt")
        pause = FIRST_PAUSE_S
        for left in reversed(range(tries or TRIES.get(request.method, MOST_TRIES))):
            started = time.monotonic()
            try:
                status, answer = self._send(request)
            except ClusterUnreachable as exc:
                interruption.note_silence(started)
                if not left or isinstance(exc, NoCredentials) or interruption.left_s() <= 0:
                    raise
                status, answer = BUSY[0], b""
            if status not in BUSY:
                interruption.note_answer()
                break
            interruption.note_silence(started)
            if not left or interruption.left_s() <= 0:
                break
            time.sleep(pause)
            pause *= 2
        if status >= 400:
            raise error_of(request, status, answer)
        return answer

    def _decode(self, request: Request, answer: bytes, shape: type[T]) -> T:
        """Refuses answers that are not JSON: a proxy's login page has status 200, too."""
        with contextlib.suppress(*BROKEN):
            return msgspec.json.decode(answer, type=shape)
        raise self._no_api_server(request, answer)

    def _no_api_server(self, request: Request, answer: bytes) -> ClusterUnreachable:
        start = answer[:60].decode(errors="replace").strip()
        return ClusterUnreachable(f"{self.server} is not an API server: {request} returned {start!r}")

    def _send(self, request: Request) -> tuple[int, bytes]:
        url, headers, payload = self._session.prepare_request(
            request.method,
            request.path,
            request.query or {},
            {"Accept": request.accept, "Content-Type": request.content_type},
            request.body,
        )

        def send() -> tuple[Any, bytes]:
            response = self._session.api.call_api(
                request.method,
                url,
                header_params=headers,
                body=payload,
                _request_timeout=(CALL_TIMEOUT_S, CALL_TIMEOUT_S),
            )
            return response, response.read()

        started = time.monotonic()
        try:
            # The library bounds each single read: a server that sends one byte at a time would block a call forever.
            response, answer = call_within(min(WHOLE_CALL_S, interruption.left_s()), send)
        except TimeoutError:
            waited_s = min(WHOLE_CALL_S, round(time.monotonic() - started, 1))
            raise ClusterUnreachable(
                f"the cluster at {self.server} does not answer: incomplete after {waited_s} s"
            ) from None
        except Exception as exc:  # of the client library, which raises whatever the libraries under it raise
            reason = request_reason(exc, self._session.secrets())
            raise ClusterUnreachable(f"the cluster at {self.server} does not answer: {reason}") from None
        with contextlib.suppress(TypeError, ValueError):
            self.server_time = parsedate_to_datetime(response.headers.get("Date"))
        if response.status >= 400 or not answer.startswith(b"{"):
            answer = self._quotable(answer)
        return response.status, answer

    def _quotable(self, answer: bytes) -> bytes:
        """The start of an answer that an error quotes, without our credentials: a proxy may repeat our headers."""
        return masked(answer[:LONGEST_QUOTED].decode(errors="replace"), self._session.secrets()).encode()


def error_of(request: Request, status: int, answer: bytes) -> ClusterError:
    """The error of an answer with this status, which is 400 or more."""
    try:
        found = msgspec.json.decode(answer)
        message = found["message"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        found, message = {}, answer[:200].decode(errors="replace")
    if status in (401, 403):
        return Forbidden(f"the cluster refuses {request}: {message}")
    if status == 429:
        causes = (found.get("details") or {}).get("causes") or ()
        texts = tuple(printable(cause["message"]) for cause in causes if cause.get("message"))
        return TooManyRequests(f"{request} answered {status}: {message}", texts)
    kind = {404: NotFound, 409: Conflict, 422: Invalid}.get(status, ClusterError)
    return kind(f"{request} answered {status}: {message}")
