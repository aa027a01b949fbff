"""What the API server reports of one node while a watch of it works, so that a change is known at once.

A watch that ends for whatever reason is opened again later, and not by all probes at the same moment. Until then the
node must be requested; and so where a watch is silent for longer than the API server is: a proxy may have dropped it.
"""

import random
import time
from typing import Any

from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.model.report_grammar import LONGEST_TEXT
from mig_fleet.probe.json_stream import JsonStream
from mig_fleet.probe.kubernetes import Api, ApiError
from mig_fleet.probe.log import log

Json = dict[str, Any]
Key = tuple[str | None, str | None, str | None]
"""Config, state and attempt."""

LIFETIME_S = (1800, 3600)
"""Of a watch: the range of the API server's own default, so that not all of them end together."""

SILENCE_S = 75.0
"""The API server sends a bookmark each minute (cacher.go, bookmarkFrequency); after more the watch may be dead."""
BUSY_SILENCE_S = 10.0
"""The same while MIG Manager works or is about to: a whole wave waits for what comes next."""

CATCH_UP_S = 1.0
"""A watch may be a moment behind an answer."""

RETRY_S = 15.0
"""A watch that ended is opened again within this time; after each further failure twice as long, up to
:data:`MAX_RETRY_S`."""
MAX_RETRY_S = 300.0


class NodeEvents:
    """One node: :attr:`node` is its metadata while they are known."""

    def __init__(self, api: Api, name: str, interval_s: float) -> None:
        self._api, self._name, self._interval_s = api, name, interval_s
        self._stream: JsonStream | None = None
        self._node: Json | None = None
        self._received_at = self._open_at = time.monotonic()
        self._failures, self._printed = 0, ""
        self.changes = 0
        """Another number after a reading: config, state or attempt may have changed meanwhile."""

    @property
    def node(self) -> Json | None:
        """The node's metadata; None while it must be requested."""
        if self._stream is None or self._node is None:
            return None
        _, state, attempt = config_state_attempt(self._node)
        is_busy = state in labels.BUSY_STATES or (state is None and attempt is not None)
        age_s = time.monotonic() - self._received_at
        return self._node if age_s < (BUSY_SILENCE_S if is_busy else SILENCE_S) else None

    def wait(self, seconds: float, known: Key | None) -> None:
        """Return after ``seconds``, or as soon as there is something to read: another config, state or attempt than
        ``known``. A node without a state is none: MIG Manager is about to work on it.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._stream is None and time.monotonic() >= self._open_at:
                self._open()
            found = config_state_attempt(self.node) if self.node else None
            if found is not None and found != known and found[1] is not None:
                return
            self._receive(left)

    def confirm(self, answer: Json) -> None:
        """Compare with the answer to a request: read what the watch has sent until it is as new. A watch that still
        shows something else does not work.
        """
        until, within_s = time.monotonic() + CATCH_UP_S, 0.0
        while self._stream is not None:
            self._receive(within_s)
            within_s = until - time.monotonic()
            if self._node is not None and _version(self._node) == _version(answer):
                break
            if within_s <= 0:
                if self._node is None or config_state_attempt(self._node) != config_state_attempt(answer):
                    self._lose(f"a change was not sent within {CATCH_UP_S:g} s")
                break
        self._received_at = time.monotonic()

    def _open(self) -> None:
        try:
            self._stream = self._api.watch_node(self._name, random.randint(*LIFETIME_S))
        except ApiError as exc:
            self._lose(str(exc))
        else:
            self._received_at = time.monotonic()

    def _receive(self, within_s: float) -> None:
        """Wait for the next events and take them in."""
        if self._stream is None:
            time.sleep(max(0.0, min(within_s, self._open_at - time.monotonic())))
            return
        try:
            for event in self._stream.receive(within_s):
                self._take(event["type"], event["object"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            self._lose(str(exc) or type(exc).__name__)

    def _take(self, kind: str, found: Json) -> None:
        if kind == "ERROR":
            raise ValueError(f"answered {found.get('code')}: {found.get('message')}")
        self._received_at, self._failures, self._printed = time.monotonic(), 0, ""
        if kind == "BOOKMARK" or found["metadata"]["name"] != self._name:
            return
        before = config_state_attempt(self._node) if self._node else None
        after = config_state_attempt(found) if kind != "DELETED" else None
        self._node = found if after else None
        if before is None or before != after:
            self.changes += 1

    def _lose(self, reason: str) -> None:
        """The watch does not work, so nothing of it counts any more. That one which worked has ended is usual."""
        if (self._failures or self._stream is None) and reason != self._printed:
            self._printed = reason
            every = f"so it is read every {self._interval_s:g} s"
            log(f"node {self._name!r} cannot be watched, {every}: {printable(reason, LONGEST_TEXT)}")
        if self._stream is not None:
            self._stream.close()
            self.changes += 1
        self._stream = self._node = None
        longest_s = min(RETRY_S * 2.0 ** min(self._failures, 16), MAX_RETRY_S)
        self._open_at = time.monotonic() + random.uniform(longest_s / 15, longest_s)
        self._failures += 1


def config_state_attempt(node: Json) -> Key:
    """Config, state and attempt in the labels and annotations of a node."""
    found, notes = node["metadata"].get("labels") or {}, node["metadata"].get("annotations") or {}
    attempt = notes.get(labels.ATTEMPT)
    return found.get(labels.CONFIG), found.get(labels.STATE), attempt and printable(attempt, LONGEST_TEXT)


def _version(node: Json) -> str | None:
    version: str | None = node["metadata"].get("resourceVersion")
    return version
