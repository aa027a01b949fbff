"""The client of a Prometheus: instant queries, bounded in time and size.

It follows no redirect, so a token reaches no other host. Thanos, Mimir and VictoriaMetrics have the same API.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from mig_fleet.advice.credentials import Access
from mig_fleet.advice.errors import PrometheusError
from mig_fleet.cluster.timeouts import call_within
from mig_fleet.confidential import masked
from mig_fleet.foreign_text import printable

CONNECT_S: Final = 10.0
SILENT_S: Final = 130.0
"""Seconds without a byte. Prometheus gives up a query after two minutes (its flag ``--query.timeout``)."""
READ_WITHIN_S: Final = 600.0
"""Seconds for all queries; the help and docs/reference/command-line.md state it."""
LARGEST_ANSWER: Final = 32 << 20
"""Bytes of one answer."""
MOST_ROWS: Final = 50_000
"""Series of one answer; a query asks for a few thousand at most."""
MOST_WARNINGS: Final = 5
_CHUNK: Final = 1 << 16
_EXPENSIVE: Final = ("too many samples", "timed out", "timeout", "limit")


@dataclass(frozen=True, slots=True)
class Row:
    """One series of an answer: its labels, which any component may have written, and a finite value."""

    labels: Mapping[str, str]
    value: float


class _Sample(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct):
    result_type: str = msgspec.field(name="resultType")
    result: msgspec.Raw


class _Answer(msgspec.Struct):
    status: str
    data: _Data | None = None
    error_type: str = msgspec.field(name="errorType", default="")
    error: str = ""
    warnings: list[str] = []


@dataclass(slots=True)
class Prometheus:
    """Queries of one Prometheus, all within :data:`READ_WITHIN_S`. Use it in a ``with`` statement."""

    access: Access
    within_s: float = READ_WITHIN_S
    warnings: list[str] = field(default_factory=list)
    """What it reported beside its answers, such as a store that did not answer; printable."""
    _pool: urllib3.PoolManager = field(init=False, repr=False)
    _ends: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._pool = urllib3.PoolManager(num_pools=1, retries=False, ssl_context=self.access.ca)
        self._ends = time.monotonic() + self.within_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def query(self, promql: str) -> list[Row]:
        """The rows of an instant query; those whose value is not a finite number are left out.

        Raises :class:`PrometheusError`.
        """
        try:
            status, kind, body = call_within(max(0.0, self._ends - time.monotonic()), lambda: self._get(promql))
        except TimeoutError:
            why = f"did not answer all queries within {self.within_s:g} s"
            raise self._error(f"{why}; try a shorter --window") from None
        except HTTPError as error:
            raise self._error(f"does not answer: {_reason(error)}") from None
        return self._rows(status, kind, body)

    def _get(self, promql: str) -> tuple[int, str, bytes]:
        """Status, content type or the target of a redirect, and body."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "mig-fleet"}
        if self.access.token:
            headers["Authorization"] = f"Bearer {self.access.token}"
        response = self._pool.request(
            "GET",
            f"{self.access.url}/api/v1/query",
            fields={"query": promql},
            headers=headers,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=SILENT_S),
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        body = bytearray()
        try:
            while chunk := response.read(_CHUNK):
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise self._error(f"sent more than {LARGEST_ANSWER >> 20} MiB for one query; is it a Prometheus?")
                if time.monotonic() > self._ends:  # the waiting caller has left
                    raise TimeoutError
        finally:
            response.close()
        kind = response.headers.get("Location" if 300 <= response.status < 400 else "Content-Type", "")
        return response.status, kind, bytes(body)

    def _rows(self, status: int, kind: str, body: bytes) -> list[Row]:
        answer = _decoded(body)
        if status != 200 or answer is None or answer.status != "success":
            raise self._error(_refusal(status, kind, answer))
        self.warnings += [self._shown(text) for text in answer.warnings[: MOST_WARNINGS - len(self.warnings)]]
        if answer.data is None or answer.data.result_type != "vector":
            raise self._error("answered an instant query with something else than a vector; is it a Prometheus?")
        try:
            samples = msgspec.json.decode(answer.data.result, type=list[_Sample])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise self._error("answered with rows that are not those of a Prometheus; is it one?") from None
        if len(samples) > MOST_ROWS:
            raise self._error(f"answered one query with more than {MOST_ROWS} series; is it a Prometheus?")
        values = [(sample.metric, _number(sample.value[1])) for sample in samples]
        return [Row(labels, value) for labels, value in values if math.isfinite(value)]

    def _error(self, what: str) -> PrometheusError:
        return PrometheusError(f"the Prometheus at {self.access.url} {self._shown(what, 1000)}")

    def _shown(self, text: str, limit: int = 300) -> str:
        """A server may repeat the token in what it answers."""
        return printable(masked(text, [self.access.token] if self.access.token else []), limit)


def _decoded(body: bytes) -> _Answer | None:
    try:
        return msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _reason(error: HTTPError) -> str:
    """In the words of the system where it has some; urllib3's own begin with the text of an object."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.strerror:
        text = cause.strerror
    else:
        text = str(error.args[-1] if error.args else error)
    if "certificate" in text.lower() or "ssl" in text.lower():
        return f"{text}; check its certificate, and name its authority with --ca"
    return f"{text}; check the address, and the path"


def _refusal(status: int, kind: str, answer: _Answer | None) -> str:
    """What a refusal means, and what would work."""
    if 300 <= status < 400:
        return f"redirects to {kind or 'another address'}, which is not followed; give that address to --prometheus"
    if status in (401, 403):
        return f"refuses the request ({status}); give a token that may query it with --token-file"
    if answer is not None and (answer.error or answer.error_type):
        refused = f"refuses a query ({status}): {answer.error or answer.error_type}"
        if answer.error_type == "timeout" or any(word in answer.error for word in _EXPENSIVE):
            return f"{refused}; try a shorter --window"
        return refused
    if status == 404:
        return "has no /api/v1/query (404); check the address and the path before /api"
    if status != 200:
        return f"answers with the status {status} and no reason; check it, and what is before it"
    return f"is not a Prometheus: it answers /api/v1/query with {kind or 'something'} that is not its JSON"
