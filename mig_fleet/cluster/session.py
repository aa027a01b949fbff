"""An open kubeconfig: the server and the credentials. Nothing here makes a call to the API server.

The client library is imported when a session is opened, never with this module, which the Pulumi program imports too.
"""

import gc
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from typing import Any, TypeVar

from mig_fleet.cluster.errors import ClusterUnreachable, NoCredentials
from mig_fleet.cluster.reasons import kubeconfig_reason
from mig_fleet.cluster.source import Source, source_of
from mig_fleet.cluster.timeouts import call_within
from mig_fleet.foreign_text import printable

T = TypeVar("T")

CREDENTIALS_TIMEOUT_S = 40
"""Seconds to read a kubeconfig and to renew a token: longer than an exec plugin may take."""

LONGEST_PLACE = 1000
"""Characters of a kubeconfig's path and context in a message."""
SESSION_S = 300.0
MOST_AT_ONCE = 64
"""Open connections: sixteen per wave, and four waves that change at the same time."""


@dataclass(frozen=True)
class Session:
    """The client library's settings and client for one context of a kubeconfig."""

    place: str
    """The kubeconfig and the context, for error messages."""
    context: str
    settings: Any = field(repr=False)
    api: Any = field(repr=False)
    secrets: Callable[[], tuple[str, ...]] = field(default=tuple, repr=False)
    """What no message may quote; a renewed token is one."""
    _turn: threading.Lock = field(default_factory=threading.Lock, compare=False)
    """One thread renews expired credentials while the others wait."""

    def prepare_request(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: Any
    ) -> tuple[str, dict[str, str], Any]:
        """URL, headers and body of a request, with credentials; the client renews expired ones."""

        def serialize() -> Any:
            return self.api.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params=dict(headers),
                body=body,
                auth_settings=["BearerToken"],
            )

        with self._turn:
            _, url, complete, payload, _ = _with_credentials(self.place, serialize)
        return url, complete, payload


_lock = threading.Lock()
_turns: dict[object, threading.Lock] = {}
_sessions: dict[object, tuple[float, Session]] = {}
_contexts: dict[object, str] = {}
"""The context that was current when a kubeconfig was first opened: a later change does not affect a running update."""


def session(where: Mapping[str, Any]) -> Session:
    """The session for a kubeconfig, kept for :data:`SESSION_S`; raises
    :class:`~mig_fleet.cluster.errors.ClusterUnreachable`.

    A rollout polls each second and must not parse the kubeconfig, run its credentials plugin and repeat the TLS
    handshake each time. One caller opens a session while others that need the same one wait.
    """
    source = source_of(where)
    key = (source.key, where.get("context"))
    with _lock:
        turn = _turns.setdefault(key, threading.Lock())
    with turn:
        at, found = _sessions.get(key, (0.0, None))
        if found is None or time.monotonic() - at > SESSION_S:
            name = source.path or source.key
            context = where.get("context") or _contexts.get(name)
            found = _open(source, context)
            if "context" not in where:
                _contexts[name] = found.context
            _sessions[key] = (time.monotonic(), found)
    return found


def _open(source: Source, wanted: str | None) -> Session:
    """``wanted`` is the context; ``None`` is the current one."""
    client = _library().client
    from mig_fleet.cluster.kubeconfig import Kubeconfig

    place = printable(f"{source.place} for context {wanted}" if wanted else source.place, LONGEST_PLACE)
    settings = client.Configuration()
    settings.retries = False
    settings.connection_pool_maxsize = MOST_AT_ONCE

    def load() -> Session:
        config = Kubeconfig(StringIO(source.contents) if source.contents else source.path, wanted)
        try:
            config.load_and_set(settings)
            api = client.ApiClient(settings)
        except Exception as exc:
            if not isinstance(exc, NoCredentials) and (key := config.unreadable()):
                raise ClusterUnreachable(f"the file of its key '{key}' cannot be read") from None
            raise
        return Session(place, config.context, settings, api, lambda: config.secrets(settings))

    return _with_credentials(place, load)


@cache
def _library() -> Any:
    """The client library: hundreds of modules that stay until the process exits.

    The garbage collector skips them while they load and at exit; walking them took 0.2 s of each preview
    (benchmarks/preview.py).
    """
    gc.disable()
    try:
        import kubernetes
    finally:
        gc.freeze()
        gc.enable()
    return kubernetes


def _with_credentials(place: str, act: Callable[[], T]) -> T:
    """What ``act`` returns: calls of the client library only, which raises whatever the libraries under it raise.

    Raises :class:`NoCredentials` or :class:`ClusterUnreachable`, with the place and a reason.
    """
    look = "run `kubectl get nodes` with that kubeconfig to see"
    try:
        return call_within(CREDENTIALS_TIMEOUT_S, act)
    except TimeoutError:
        text = f"no credentials from the kubeconfig at {place} within {CREDENTIALS_TIMEOUT_S} s; {look}"
        raise NoCredentials(text) from None
    except NoCredentials as exc:
        raise type(exc)(f"no credentials from the kubeconfig at {place}: {exc}; {look}") from None
    except ClusterUnreachable as exc:
        raise type(exc)(f"no usable kubeconfig at {place}: {exc}") from None
    except Exception as exc:
        raise ClusterUnreachable(f"no usable kubeconfig at {place}: {kubeconfig_reason(exc)}") from None
