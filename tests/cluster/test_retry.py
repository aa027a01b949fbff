"""An API server that is unreachable for a while is waited for; what a retry cannot change is raised at once."""

import pytest

from mig_fleet.cluster import retry
from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable, Forbidden, NoCredentials
from mig_fleet.cluster.retry import retry_while_unreachable
from tests.memory.clock import Clock


class Server:
    """Raises the prepared errors, the last one again and again; counts the requests."""

    def __init__(self, *errors: ClusterError, answers_after: int = 1000) -> None:
        self.errors, self.answers_after, self.requests = list(errors), answers_after, 0

    def ask(self) -> str:
        self.requests += 1
        if self.requests > self.answers_after:
            return "an answer"
        raise self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(retry, "time", clock)
    return clock


def ask(server: Server, clock: Clock, reported: list[str] | None = None) -> str:
    def report(error: ClusterError) -> None:
        (reported if reported is not None else []).append(str(error))

    return retry_while_unreachable(server.ask, within_s=10, pause_s=2, sleep=clock.sleep, report=report)


def test_each_answer_that_leads_to_another_attempt_is_reported(clock: Clock) -> None:
    reported: list[str] = []
    ask(Server(ClusterUnreachable("first"), ClusterUnreachable("second"), answers_after=2), clock, reported)
    assert reported == ["first", "second"]


def test_a_server_that_answers_in_time_hides_its_outage(clock: Clock) -> None:
    server = Server(ClusterUnreachable("away"), answers_after=3)
    assert ask(server, clock) == "an answer"
    assert clock.slept == 6


def test_the_last_error_is_raised_when_the_time_is_over(clock: Clock) -> None:
    server = Server(ClusterUnreachable("first"), ClusterUnreachable("last"))
    with pytest.raises(ClusterUnreachable, match="last"):
        ask(server, clock)
    assert (clock.slept, server.requests) == (12, 7)


@pytest.mark.parametrize("kind", [Forbidden, NoCredentials])
def test_missing_rights_and_missing_credentials_are_not_retried(kind: type[ClusterError], clock: Clock) -> None:
    server = Server(kind("no"))
    with pytest.raises(kind):
        ask(server, clock)
    assert (clock.slept, server.requests) == (0, 1)
