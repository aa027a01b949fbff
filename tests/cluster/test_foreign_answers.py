"""What an API server, a kubelet or a user wrote is bounded, printable, and hides nothing else."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Request
from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable, NodeMissing, TooManyRequests
from mig_fleet.cluster.lists import decode_items
from mig_fleet.cluster.quantities import parse_count
from mig_fleet.cluster.selectors import meets
from mig_fleet.cluster.times import parse_time
from mig_fleet.observed.objects import NodeObject

HOSTILE = "\x1b[2K\rverified\x1b]52;c;cm0=\x07\u202e\n"


class OneAnswer(Cluster):
    """An API server with one answer."""

    def __init__(self, status: int, answer: bytes) -> None:
        self.server, self.server_time, self.answer = "https://fleet", None, (status, answer)

    def _send(self, _: Request) -> tuple[int, bytes]:
        return self.answer


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 418])
@pytest.mark.parametrize("answer", [json.dumps({"message": HOSTILE}), HOSTILE, "x" * 10_000])
def test_the_message_of_an_api_server_is_one_printable_line(status: int, answer: str) -> None:
    with pytest.raises(ClusterError) as failed:
        OneAnswer(status, answer.encode()).call("DELETE", "/api/v1/nodes/n1", tries=1)
    assert str(failed.value).isprintable()
    assert len(str(failed.value)) <= 2000


def test_the_sentence_of_a_disruption_budget_is_printable() -> None:
    answer = json.dumps({"message": HOSTILE, "details": {"causes": [{"message": HOSTILE}]}})
    with pytest.raises(TooManyRequests) as failed:
        OneAnswer(429, answer.encode()).call("POST", "/x", tries=1)
    assert failed.value.causes == (r"\x1b[2K\rverified\x1b]52;c;cm0=\x07\u202e\n",)


def test_the_last_line_of_a_log_is_printable() -> None:
    log = OneAnswer(200, f"first\n{HOSTILE}".encode())
    assert log.last_log_line("mig-fleet", "mig-probe-1").isprintable()


def test_every_error_of_a_cluster_is_printable() -> None:
    assert str(ClusterError(HOSTILE)).isprintable()
    assert str(NodeMissing(HOSTILE)).isprintable()


# One item of a list


def a_node(name: str, **more: object) -> dict[str, object]:
    return {"metadata": {"name": name, "uid": "u"}, **more}


@pytest.mark.parametrize(
    "odd",
    [
        a_node("odd", status={"allocatable": {"cpu": 8}}),
        a_node("odd", status={"conditions": {}}),
        a_node("odd", spec=7),
        {"metadata": {"name": "odd", "uid": "u", "labels": {"a": None}}},
        {"metadata": {"name": "odd", "uid": "u", "annotations": {"a": "\ud800"}}},
    ],
    ids=str,
)
def test_one_malformed_item_hides_no_other_and_is_named(odd: dict[str, object]) -> None:
    answer = json.dumps({"items": [a_node("first"), odd, a_node("last")]}).encode()
    found, malformed = OneAnswer(200, answer).read_items("/api/v1/nodes", NodeObject)
    assert [node.metadata.name for node in found] == ["first", "last"]
    assert [*malformed] == ["odd"]
    assert malformed["odd"].isprintable()


@pytest.mark.parametrize("odd", [7, None, [], {}, {"metadata": 7}, {"metadata": {}}], ids=str)
def test_an_item_without_a_name_hides_no_other(odd: object) -> None:
    found, malformed = decode_items(json.dumps({"items": [odd, a_node("n1")]}).encode(), NodeObject)
    assert [node.metadata.name for node in found] == ["n1"]
    assert [*malformed] == [""]


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b'{"items": 7}', b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_no_list_is_not_an_api_servers(answer: bytes) -> None:
    with pytest.raises(ClusterUnreachable, match="https://fleet is not an API server"):
        OneAnswer(200, answer).read_items("/api/v1/nodes", NodeObject)


# Numbers and times


@pytest.mark.parametrize(
    ("text", "count"),
    [("14", 14), ("0", 0), ("1k", 1000), ("1Ki", 1024), ("1e3", 1000), ("1500m", 1), ("1.5", 1), (8, 8)],
)
def test_a_quantity_of_kubernetes_is_read(text: str | int, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize(
    "text", ["1e99999999", "1E999999999999", "9" * 5000, "²", "٣", "", "-1", "1e99", "1\n", HOSTILE]
)
def test_what_is_no_quantity_is_refused_at_once(text: str) -> None:
    started = time.monotonic()
    assert parse_count(text) is None
    assert time.monotonic() - started < 5, "to write out such a number takes minutes"


@given(st.text(max_size=30) | st.from_regex(r"[0-9]+[eE.][0-9]+|[0-9]+[A-Za-z]{1,2}", fullmatch=True))
def test_any_text_is_a_bounded_count_or_none(text: str) -> None:
    count = parse_count(text)
    assert count is None or 0 <= count < 2**63


@given(st.text(max_size=40) | st.datetimes().map(lambda at: f"{at.isoformat()}Z"))
def test_any_text_is_a_time_with_its_zone_or_none(text: str) -> None:
    found = parse_time(text)
    assert found is None or found.tzinfo is not None


def test_a_label_with_thousands_of_digits_is_less_and_greater_than_nothing() -> None:
    assert meets({"operator": "Gt", "values": ["1"], "key": "k"}, "9" * 5000) is False
