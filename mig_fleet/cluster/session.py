"""An open kubeconfig: the server and the credentials. Nothing here makes a call to the API server.

The client library is imported when a session is opened, never with this module, which the Pulumi program imports too.
"""

import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from mig_fleet.cluster.errors import ClusterUnreachable, NoCredentials
from mig_fleet.cluster.timeouts import call_within

T = TypeVar("T")

CREDENTIALS_TIMEOUT_S = 30
"""Seconds. A credentials plugin may ask a cloud for a token; one that prompts the user never exits."""

SESSION_S = 300.0
MOST_AT_ONCE = 64
"""Open connections: sixteen per wave, and four waves that change at the same time."""


@dataclass(frozen=True)
class Session:
    """The client library's settings and client for one context of a kubeconfig."""

    place: str
    """The kubeconfig and the context, for error messages."""
    context: str
    settings: Any
    api: Any
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


def session(where: Mapping[str, str]) -> Session:
    """The session for a kubeconfig, kept for :data:`SESSION_S`; raises
    :class:`~mig_fleet.cluster.errors.ClusterUnreachable`.

    A rollout polls each second and must not parse the kubeconfig, run its credentials plugin and repeat the TLS
    handshake each time. One caller opens a session while others that need the same one wait.
    """
    path = where.get("kubeconfig") or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    changed = 0
    with contextlib.suppress(OSError):
        changed = Path(path).stat().st_mtime_ns
    key = (path, changed, where.get("context"))
    with _lock:
        turn = _turns.setdefault(key, threading.Lock())
    with turn:
        at, found = _sessions.get(key, (0.0, None))
        if found is None or time.monotonic() - at > SESSION_S:
            context = where.get("context") or _contexts.get(path)
            found = _open({**where, "context": context} if context else where)
            if "context" not in where:
                _contexts[path] = found.context
            _sessions[key] = (time.monotonic(), found)
    return found


def _open(where: Mapping[str, str]) -> Session:
    client, config = _library().client, _library().config
    settings = client.Configuration()
    settings.retries = False
    settings.connection_pool_maxsize = MOST_AT_ONCE
    place = where.get("kubeconfig") or "the default path"
    if "\n" in place:  # a kubeconfig's contents, which must not be printed
        raise ClusterUnreachable("no usable kubeconfig: it must be a path, not the contents")
    place += f" for context {where['context']}" if "context" in where else ""

    def load() -> str:
        config.load_kube_config(
            config_file=where.get("kubeconfig"),
            context=where.get("context"),
            client_configuration=settings,
            persist_config=False,
        )
        _, current = config.list_kube_config_contexts(where.get("kubeconfig"))
        return where.get("context") or str(current["name"])

    context = _with_credentials(place, load)
    return Session(place, context, settings, client.ApiClient(settings))


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
    """The library waits for a credentials plugin without a timeout (kubernetes 37, exec_provider.run), and does not
    wrap the errors of the libraries that it uses to get a token.
    """
    import yaml
    from kubernetes.client import ApiException
    from kubernetes.config import ConfigException
    from oauthlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
    from urllib3.exceptions import HTTPError

    try:
        return call_within(CREDENTIALS_TIMEOUT_S, act)
    except TimeoutError:
        raise NoCredentials(
            f"no credentials within {CREDENTIALS_TIMEOUT_S} s from the kubeconfig at {place}: the `exec` command of "
            "its user does not exit, or prompts for input; run `kubectl get nodes` with that kubeconfig to see"
        ) from None
    except (
        *(ConfigException, yaml.YAMLError, OAuth2Error, HTTPError, ApiException),
        *(OSError, TypeError, ValueError, AttributeError, KeyError),
    ) as exc:
        raise ClusterUnreachable(f"no usable kubeconfig at {place}: {exc}") from None
