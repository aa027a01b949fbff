"""A connection to a user's cluster: bounded requests, plain JSON answers, and errors that say what was asked.

Answers are plain JSON dictionaries, or the few fields of them that are asked for: the client's typed models cost
seconds for a thousand nodes and buy nothing here.
The client library is imported when a connection is opened, never with this module, which the Pulumi program imports
too.

::

    ClusterError              the cluster did not do what was asked
    ├── ClusterUnreachable    no answer, or no permission to ask
    ├── NotFound              there is no such object
    ├── Conflict              somebody else wrote first
    ├── TooManyRequests       not now: a disruption budget, or a server that is too busy
    └── NodeMissing           a node the stack names is not in the cluster
"""

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self, TypedDict, TypeVar

import msgspec

T = TypeVar("T")
Json = dict[str, Any]

CALL_TIMEOUT_S = 10
"""One call, connect and read together at most about this long: a preview shall fail, not hang."""

BUSY = (429, 500, 502, 503, 504)
"""Answers of a server that may do better in a moment; a request that it did not carry out is asked again."""

TRIES = {"GET": 2}
MOST_TRIES = 4
"""A write is worth more patience than a look; all our writes may be repeated."""
FIRST_PAUSE_S = 0.5

SESSION_S = 300.0
MOST_AT_ONCE = 64
"""Connections that are kept open: sixteen per wave, and four waves that are changed at the same time."""


class ClusterArgs(TypedDict, total=False):
    """Where the cluster is: a path and a context name, never credentials, because inputs are shown and stored."""

    kubeconfig: str
    context: str
    on_unreachable: str
    """``fail`` (default) or ``warn``: whether a preview goes on when the cluster does not answer."""


class ClusterError(Exception):
    """The cluster did not do what was asked; the message says what was asked and what came back."""


class ClusterUnreachable(ClusterError):
    """No answer, or no permission to ask."""


class NotFound(ClusterError):
    """There is no such object."""


class Conflict(ClusterError):
    """Somebody else wrote first; read again and decide again."""


class TooManyRequests(ClusterError):
    """Not now: a disruption budget says no, or the server has too much to do."""


class NodeMissing(ClusterError):
    """A node the stack names is not in the cluster."""

    def __init__(self, node: str) -> None:
        super().__init__(f"node '{node}' is not in the cluster; check the pool's nodes, or `kubectl get nodes`")
        self.node = node

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.node,)


class Connection:
    """Opening it reads the kubeconfig, unless that was done a moment ago, and makes no call."""

    def __init__(self, args: ClusterArgs | Mapping[str, str] | None = None) -> None:
        self.settings, self._api = _session(dict(args or {}))  # type: ignore[arg-type]  # a TypedDict of str is one
        self.server: str = self.settings.host
        self.server_time: datetime | None = None
        """What the API server's clock said in its last answer; ``None`` before the first, and from a server that does
        not say."""

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """Any object or list by its path."""
        return self.call("GET", path, query)

    def read(self, path: str, shape: type[T], query: Mapping[str, str] | None = None) -> T:
        """As much of an object or list as ``shape`` has fields for."""
        return self._shaped(f"GET {path}", self._answer("GET", path, query), shape)

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
        tries: int | None = None,
    ) -> Json:
        """One request, asked again where the server is busy or the line broke; raises :class:`ClusterError`.

        ``tries`` is how often in all, by default :data:`TRIES` for the method.
        """
        answer = self._answer(method, path, query, body, content_type, tries)
        return self._shaped(f"{method} {path}", answer, dict[str, Any])

    def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
        tries: int | None = None,
    ) -> bytes:
        pause = FIRST_PAUSE_S
        for left in reversed(range(tries or TRIES.get(method, MOST_TRIES))):
            try:
                status, answer = self._request(method, path, query, body, content_type)
            except ClusterUnreachable:
                if not left:
                    raise
                status, answer = BUSY[0], b""
            if status not in BUSY or not left:
                break
            time.sleep(pause)
            pause *= 2
        if status >= 400:
            raise _refusal(f"{method} {path}", status, answer)
        return answer

    def _shaped(self, request: str, answer: bytes, shape: type[T]) -> T:
        """A login page of a proxy comes with status 200, too."""
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(answer, type=shape)
        start = answer[:60].decode(errors="replace").strip()
        raise ClusterUnreachable(f"what answers at {self.server} is no API server: {request} gave {start!r}")

    def _request(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Json | None, content_type: str
    ) -> tuple[int, bytes]:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            _, url, headers, payload, _ = self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            response = self._api.call_api(
                method, url, header_params=headers, body=payload, _request_timeout=(CALL_TIMEOUT_S, CALL_TIMEOUT_S)
            )
            with contextlib.suppress(TypeError, ValueError):
                self.server_time = parsedate_to_datetime(response.headers.get("Date"))
            return response.status, response.read()
        except (ApiException, HTTPError) as exc:
            raise ClusterUnreachable(f"the cluster at {self.server} does not answer: {_root_cause(exc)}") from None


_sessions: dict[tuple[object, ...], tuple[float, Any, Any]] = {}
_opening = threading.Lock()


def _session(where: Mapping[str, str]) -> tuple[Any, Any]:
    """The client library's settings and client for a kubeconfig, kept for :data:`SESSION_S`.

    A wait looks each second: it shall not parse the kubeconfig, run its credentials plugin and shake hands each second.
    The client renews credentials that expire by itself.
    """
    path = where.get("kubeconfig") or os.environ.get("KUBECONFIG", "")
    with contextlib.suppress(OSError):
        path += str(Path(path).stat().st_mtime_ns)
    key = (path, where.get("context"))
    with _opening:
        at, settings, api = _sessions.get(key, (0.0, None, None))
        if api is None or time.monotonic() - at > SESSION_S:
            settings, api = _opened(where)
            _sessions[key] = (time.monotonic(), settings, api)
    return settings, api


def _opened(where: Mapping[str, str]) -> tuple[Any, Any]:
    import yaml
    from kubernetes import client, config
    from kubernetes.config import ConfigException

    settings = client.Configuration()
    settings.retries = False
    settings.connection_pool_maxsize = MOST_AT_ONCE
    try:
        config.load_kube_config(
            config_file=where.get("kubeconfig"),
            context=where.get("context"),
            client_configuration=settings,
            persist_config=False,
        )
    except (ConfigException, OSError, yaml.YAMLError, TypeError, ValueError, AttributeError, KeyError) as exc:
        place = where.get("kubeconfig") or "the default place"
        if "\n" in place:  # the contents of one: nothing of it is repeated
            raise ClusterUnreachable("no usable kubeconfig: should be a path, not its contents") from None
        raise ClusterUnreachable(
            f"no usable kubeconfig at {place}{' for context ' + where['context'] if 'context' in where else ''}: {exc}"
        ) from None
    return settings, client.ApiClient(settings)


def _refusal(request: str, status: int, answer: bytes) -> ClusterError:
    try:
        message = msgspec.json.decode(answer)["message"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        message = answer[:200].decode(errors="replace")
    if status in (401, 403):
        return ClusterUnreachable(f"the cluster refuses {request}: {message}")
    kind = {404: NotFound, 409: Conflict, 429: TooManyRequests}.get(status, ClusterError)
    return kind(f"{request} answered {status}: {message}")


def _root_cause(exc: BaseException) -> str:
    reason = getattr(exc, "reason", None)
    return _root_cause(reason) if isinstance(reason, BaseException) else str(exc)
