"""The client of a Prometheus against servers that lie, stall and flood: it ends in time and keeps its token."""

import json
import re
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.advice import prometheus
from mig_fleet.advice.credentials import Access
from mig_fleet.advice.errors import PrometheusError
from mig_fleet.advice.prometheus import Prometheus, Row
from tests.advice.hostile_server import Answer, sends, sends_raw, serving

TOKEN = "s3cret-t0ken-of-mine"
EVIL = "evil\x1b[2K\x1b]52;c;ZXZpbA==\x07\r\u202egpj\x9b"


def vector(*rows: tuple[dict[str, str], str]) -> bytes:
    result = [{"metric": metric, "value": [1.5, value]} for metric, value in rows]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


def failure(kind: str, text: str) -> bytes:
    return json.dumps({"status": "error", "errorType": kind, "error": text}).encode()


def ask(answer: Answer, within_s: float = 20) -> list[Row]:
    with serving(answer) as server, Prometheus(Access(server.url, TOKEN), within_s) as client:
        return client.query("up")


def error_of(answer: Answer, within_s: float = 20) -> str:
    with pytest.raises(PrometheusError) as caught:
        ask(answer, within_s)
    text = str(caught.value)
    assert text.isprintable() and len(text) <= 2000
    assert TOKEN not in text
    return text


def test_the_rows_of_an_answer_are_returned() -> None:
    assert ask(sends(vector(({"node": "n1"}, "0.5"), ({}, "2")))) == [Row({"node": "n1"}, 0.5), Row({}, 2.0)]


def test_the_query_and_the_token_are_sent_to_the_path_of_the_api() -> None:
    with (
        serving(sends(vector())) as server,
        Prometheus(Access(f"{server.url}/prometheus", TOKEN)) as client,
    ):
        client.query('up{node=~"n[.]1"}')
        assert server.paths == ["/prometheus/api/v1/query?query=up%7Bnode%3D~%22n%5B.%5D1%22%7D"]
        assert f"authorization: bearer {TOKEN}" in server.requests[0].decode().lower()


def test_without_a_token_no_header_is_sent() -> None:
    with serving(sends(vector())) as server, Prometheus(Access(server.url)) as client:
        client.query("up")
        assert b"authorization" not in server.requests[0].lower()


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "Infinity", "1e999", "x", "", "1" * 5000])
def test_a_value_that_is_no_finite_number_is_left_out(value: str) -> None:
    assert ask(sends(vector(({"a": "b"}, value), ({"a": "c"}, "1")))) == [Row({"a": "c"}, 1.0)]


NOT_PROMETHEUS = [
    b"",
    b"<html>hello</html>",
    b"null",
    b"[]",
    b'{"status": "success"}',
    b'{"status": 7}',
    b'{"status": "success", "data": {"resultType": "matrix", "result": []}}',
    b'{"status": "success", "data": {"resultType": "vector", "result": {}}}',
    b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1]}]}}',
    b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"a": 1}, "value": [1, "1"]}]}}',
    b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, 1]}]}}',
    b'{"status": "success", "data": {"resultType": "vector", "result": ' + b"[" * 100_000,
    b'{"status": "success", "data": ' + b'{"a":' * 100_000,
    b'{"status": "success\xff", "data": null}',
    vector()[:-3],
]


@pytest.mark.parametrize("body", NOT_PROMETHEUS, ids=lambda body: repr(body[:80]))
def test_what_is_no_answer_of_a_prometheus_is_one_sentence(body: bytes) -> None:
    assert re.search(r"is not a Prometheus|is it a Prometheus\?|is it one\?", error_of(sends(body)))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_error_and_no_crash(body: bytes) -> None:
    with pytest.raises(PrometheusError):
        Prometheus(Access("http://127.0.0.1:1"))._rows(200, "text/plain", body)


def test_a_page_is_not_a_prometheus() -> None:
    text = error_of(sends(b"<html></html>", kind="text/html"))
    assert "is not a Prometheus: it answers /api/v1/query with text/html that is not its JSON" in text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (sends(b"", "401 Unauthorized"), "refuses the request (401); give a token that may query it with --token-file"),
        (sends(b"{}", "403 Forbidden"), "refuses the request (403); give a token"),
        (sends(b"not found", "404 Not Found"), "has no /api/v1/query (404); check the address and the path before"),
        (sends(b"", "500 Oh"), "answers with the status 500 and no reason"),
        (sends(failure("bad_data", "1:2: parse error"), "400 Bad Request"), "refuses a query (400): 1:2: parse error"),
        (
            sends(failure("execution", "query processing would load too many samples into memory"), "422 No"),
            "too many samples into memory; try a shorter --window",
        ),
        (sends(failure("timeout", "query timed out in expression evaluation"), "503 No"), "try a shorter --window"),
    ],
)
def test_a_refusal_names_what_would_work(answer: Answer, expected: str) -> None:
    assert expected in error_of(answer)


def test_a_redirect_is_not_followed_and_the_token_reaches_no_other_host() -> None:
    with serving(sends(vector(({}, "1")))) as other:
        target = f"{other.url}/api/v1/query"
        for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
            text = error_of(sends(b"", status, f"Location: {target}"))
            assert f"redirects to {target}, which is not followed" in text
        assert other.requests == []


def test_a_server_that_repeats_the_token_does_not_make_us_print_it() -> None:
    assert "***" in error_of(sends(failure("execution", f"Bearer {TOKEN} {TOKEN}"), "400 Bad"))
    assert "***" in error_of(sends(b"", "302 Found", f"Location: http://x/?token={TOKEN}"))
    error_of(sends(b"", kind=f"text/{TOKEN}"))


def test_text_of_a_server_is_printable() -> None:
    assert r"evil\x1b[2K" in error_of(sends(failure("execution", EVIL), "400 Bad"))
    error_of(sends(failure("execution", "x" * 1_000_000), "400 Bad"))


def test_warnings_are_kept_printable_and_few() -> None:
    answer = json.loads(vector(({}, "1"))) | {"warnings": [f"{EVIL} {TOKEN}", *["store is away"] * 20]}
    with (
        serving(sends(json.dumps(answer).encode())) as server,
        Prometheus(Access(server.url, TOKEN)) as client,
    ):
        client.query("up")
        client.query("up")
        assert len(client.warnings) == prometheus.MOST_WARNINGS
        assert all(text.isprintable() and TOKEN not in text for text in client.warnings)


def test_an_answer_that_is_too_large_is_refused_while_it_is_read() -> None:
    def flood(client: socket.socket, stop: threading.Event) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not stop.is_set():
            client.sendall(b" " * 65536)

    assert "sent more than 32 MiB for one query" in error_of(flood)


def test_a_compressed_answer_is_not_expanded() -> None:
    import gzip

    bomb = gzip.compress(b" " * 50_000_000)
    assert "is not a Prometheus" in error_of(sends(bomb, "200 OK", "Content-Encoding: gzip"))


def test_too_many_series_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MOST_ROWS", 2)
    assert "answered one query with more than 2 series" in error_of(sends(vector(*[({}, "1")] * 3)))


def drip(client: socket.socket, stop: threading.Event) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not stop.wait(0.05):
        client.sendall(b" ")


def drip_headers(client: socket.socket, stop: threading.Event) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    while not stop.wait(0.05):
        client.sendall(b"X-A: b\r\n")


def silence(_client: socket.socket, stop: threading.Event) -> None:
    stop.wait()


@pytest.mark.parametrize("answer", [drip, drip_headers, silence])
def test_a_slow_server_ends_at_the_deadline_of_all_queries(answer: Answer) -> None:
    started = time.monotonic()
    text = error_of(answer, within_s=1)
    assert time.monotonic() - started < 15
    assert "did not answer all queries within 1 s; try a shorter --window" in text


def test_the_deadline_is_that_of_all_queries_together() -> None:
    with serving(sends(vector())) as server, Prometheus(Access(server.url), within_s=0) as client:
        with pytest.raises(PrometheusError, match="within 0 s"):
            client.query("up")
        assert server.requests == []


@pytest.mark.parametrize(
    "data", [b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"HTTP/1.1 99999 X\r\n\r\n"]
)
def test_a_server_without_http_is_one_sentence(data: bytes) -> None:
    assert "does not answer" in error_of(sends_raw(data))


def test_a_port_without_a_server_is_one_sentence() -> None:
    with Prometheus(Access("http://127.0.0.1:1")) as client, pytest.raises(PrometheusError) as caught:
        client.query("up")
    reason = "does not answer: Connection refused; check the address, and the path"
    assert str(caught.value) == f"the Prometheus at http://127.0.0.1:1 {reason}"
