"""An open kubeconfig: where the cluster is, and who asks. Nothing here makes a call to the cluster.

The client library is imported when a session is opened, never with this module, which the Pulumi program imports too.
"""

import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from components.deadline import within
from components.errors import ClusterUnreachable, NoCredentials

T = TypeVar("T")

CREDENTIALS_TIMEOUT_S = 30
"""A credentials plugin may ask a cloud for a token, which takes seconds; one that asks a person has nobody to ask."""

SESSION_S = 300.0
MOST_AT_ONCE = 64
"""Connections that are kept open: sixteen per wave, and four waves that are changed at the same time."""


@dataclass(frozen=True)
class Session:
    """The client library's settings and client for one context of a kubeconfig."""

    place: str
    """The kubeconfig and the context, in words."""
    settings: Any
    api: Any

    def addressed(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: Any
    ) -> tuple[str, dict[str, str], Any]:
        """URL, headers and body of a request, with credentials; those that expired are renewed by the client."""

        def serialised() -> Any:
            return self.api.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params=dict(headers),
                body=body,
                auth_settings=["BearerToken"],
            )

        _, url, complete, payload, _ = _with_credentials(self.place, serialised)
        return url, complete, payload


_lock = threading.Lock()
_turns: dict[object, threading.Lock] = {}
_sessions: dict[object, tuple[float, Session]] = {}


def session(where: Mapping[str, str]) -> Session:
    """The session for a kubeconfig, kept for :data:`SESSION_S`; raises
    :class:`~components.errors.ClusterUnreachable`.

    A wait looks each second: it shall not parse the kubeconfig, run its credentials plugin and shake hands each second.
    One caller opens it and the others wait, but not those who ask for another one.
    """
    path = where.get("kubeconfig") or os.environ.get("KUBECONFIG", "")
    with contextlib.suppress(OSError):
        path += str(Path(path).stat().st_mtime_ns)
    key = (path, where.get("context"))
    with _lock:
        turn = _turns.setdefault(key, threading.Lock())
    with turn:
        at, found = _sessions.get(key, (0.0, None))
        if found is None or time.monotonic() - at > SESSION_S:
            found = _opened(where)
            _sessions[key] = (time.monotonic(), found)
    return found


def _opened(where: Mapping[str, str]) -> Session:
    import yaml

    client, config = _library().client, _library().config
    settings = client.Configuration()
    settings.retries = False
    settings.connection_pool_maxsize = MOST_AT_ONCE
    place = where.get("kubeconfig") or "the default place"
    if "\n" in place:  # the contents of one: nothing of it is repeated
        raise ClusterUnreachable("no usable kubeconfig: should be a path, not its contents")
    place += f" for context {where['context']}" if "context" in where else ""

    def load() -> None:
        config.load_kube_config(
            config_file=where.get("kubeconfig"),
            context=where.get("context"),
            client_configuration=settings,
            persist_config=False,
        )

    try:
        _with_credentials(place, load)
    except (config.ConfigException, OSError, yaml.YAMLError, TypeError, ValueError, AttributeError, KeyError) as exc:
        raise ClusterUnreachable(f"no usable kubeconfig at {place}: {exc}") from None
    return Session(place, settings, client.ApiClient(settings))


@cache
def _library() -> Any:
    """The client library, of hundreds of modules that stay until the process ends.

    The collector walks them neither while they come nor at that end, which took a fifth of a second of each preview
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
    """The library waits for a credentials plugin without any bound (kubernetes 37, exec_provider.run)."""
    try:
        return within(CREDENTIALS_TIMEOUT_S, act)
    except TimeoutError:
        raise NoCredentials(
            f"no credentials within {CREDENTIALS_TIMEOUT_S} s by the kubeconfig at {place}: the command of its user "
            "(`exec`) does not end, or waits for somebody; run `kubectl get nodes` with that kubeconfig to see"
        ) from None
