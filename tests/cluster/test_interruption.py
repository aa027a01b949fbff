"""After an interrupt a silent API server ends every call together, soon; one that answers is still used."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from mig_fleet.cluster import interruption as module
from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import CALL_TIMEOUT_S, Connection, Request
from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable
from mig_fleet.cluster.interruption import Interruption, interruption
from mig_fleet.cluster.timeouts import call_within
from tests.memory.clock import Clock

pytestmark = pytest.mark.timeout(60)

SHORT_S = 0.3
"""In place of the ten seconds that a silent server gets after an interrupt."""


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    interruption.forget()
    yield
    interruption.forget()


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A server that accepts connections and never answers."""
    monkeypatch.setattr(module, "AFTER_INTERRUPT_S", SHORT_S)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        kubeconfig = {
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.getsockname()[1]}"}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(kubeconfig))
        yield Cluster({"kubeconfig": str(path)})


def ends_with(call: Callable[[], object], interrupt_after_s: float | None = None) -> str:
    """The error of a call, which must end long before the timeout of one request."""
    if interrupt_after_s is not None:
        threading.Timer(interrupt_after_s, interruption.interrupt).start()
    started = time.monotonic()
    with pytest.raises(ClusterError) as raised:
        call()
    assert time.monotonic() - started < CALL_TIMEOUT_S / 2
    return str(raised.value)


def test_a_call_in_flight_ends_and_is_not_repeated(silent: Cluster) -> None:
    assert "does not answer: incomplete after" in ends_with(silent.pods, interrupt_after_s=0.1)


def test_after_one_call_without_an_answer_no_other_is_sent(silent: Cluster) -> None:
    ends_with(silent.pods, interrupt_after_s=0.1)
    for call in (silent.pods, lambda: silent.patch_node("n1", {}, {})):
        assert ends_with(call).endswith("does not answer since the interrupt")


def test_a_command_in_a_pod_ends_at_once(silent: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it takes the time in which the nodes could be restored."""
    monkeypatch.setattr(module, "AFTER_INTERRUPT_S", CALL_TIMEOUT_S)
    assert "gave no answer" in ends_with(lambda: silent.execute("team", "web", ["true"]), interrupt_after_s=0.1)


class Answers(Connection):
    """A connection whose requests take some seconds of a clock; ``None`` is no answer."""

    def __init__(self, clock: Clock, *statuses: int | None) -> None:
        self.server, self.clock, self.statuses, self.requests = "https://fleet", clock, list(statuses), 0

    def _send(self, _request: Request) -> tuple[int, bytes]:
        self.requests += 1
        self.clock.sleep(4)
        status = self.statuses.pop(0)
        if status is None:
            raise ClusterUnreachable("no answer")
        return status, b"{}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for name in ("connection", "interruption"):
        monkeypatch.setattr(f"mig_fleet.cluster.{name}.time", clock)
    return clock


def test_each_answer_gives_the_next_calls_the_full_time_again(clock: Clock) -> None:
    interruption.interrupt()
    server = Answers(clock, 200, None, 200, 200, None, 200)
    for _ in range(4):
        server.get("/api/v1/nodes")
    assert server.requests == 6, "both attempts that failed were repeated"


@pytest.mark.parametrize("status", [None, 503], ids=["no answer", "an answer of a proxy for a silent server"])
def test_a_server_that_fails_for_too_long_is_not_asked_again(status: int | None, clock: Clock) -> None:
    interruption.interrupt()
    server = Answers(clock, *[status] * 10)
    with pytest.raises(ClusterError):
        server.call("PATCH", "/api/v1/nodes/n1")
    with pytest.raises(ClusterUnreachable, match="since the interrupt"):
        server.get("/api/v1/nodes")
    assert server.requests == 3, "a fourth attempt would begin after more than ten seconds"


def test_without_an_interrupt_no_server_is_given_up(clock: Clock) -> None:
    server = Answers(clock, *[None] * 40)
    for _ in range(10):
        with pytest.raises(ClusterUnreachable, match="no answer"):
            server.call("PATCH", "/api/v1/nodes/n1")
    assert server.requests == 40


def test_only_the_first_interrupt_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, found = Clock(), Interruption()
    monkeypatch.setattr(module, "time", clock)
    found.interrupt()
    first = found.ends_at(clock.now)
    clock.sleep(5)
    found.interrupt()
    assert found.ends_at(clock.now - 100) == first


def test_a_call_without_time_is_not_started() -> None:
    started: list[int] = []
    with pytest.raises(TimeoutError):
        call_within(0, lambda: started.append(1))
    assert started == []
