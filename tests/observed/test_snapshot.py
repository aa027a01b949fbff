"""One look for all that ask in one run: shared, dropped by our writes, and nobody else's business."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mig_fleet.observed import snapshot as looking
from mig_fleet.observed.snapshot import Look, forget, look

HERE, THERE = {"kubeconfig": "here"}, {"kubeconfig": "there"}
WITHIN_S = 20


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which clusters were really looked at."""
    found: list[str] = []

    def once(cluster: Any, reports: str) -> Look:
        found.append(cluster["kubeconfig"])
        return Look()

    monkeypatch.setattr(looking, "_look", once)
    forget()
    yield found
    forget()


def test_a_look_serves_all_that_ask_until_something_is_written(asked: list[str]) -> None:
    assert look(HERE, "r") is look(HERE, "r")
    assert asked == ["here"]
    forget()
    look(HERE, "r")
    assert asked == ["here", "here"]


def test_what_was_seen_while_something_was_written_serves_only_who_asked_for_it(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*_: object) -> Look:
        forget()
        return Look()

    with monkeypatch.context() as patch:
        patch.setattr(looking, "_look", overtaken)
        seen = look(HERE, "r")
    assert look(HERE, "r") is not seen
    assert asked == ["here"]


def test_a_cluster_that_does_not_answer_holds_up_no_look_at_another(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, begun = threading.Event(), threading.Event()

    def slow(cluster: Any, _: str) -> Look:
        if cluster["kubeconfig"] == "here":
            begun.set()
            assert answers.wait(WITHIN_S)
        return Look()

    monkeypatch.setattr(looking, "_look", slow)
    waiting = threading.Thread(target=look, args=(HERE, "r"))
    waiting.start()
    try:
        assert begun.wait(WITHIN_S)
        other = threading.Thread(target=look, args=(THERE, "r"))
        other.start()
        other.join(WITHIN_S)
        assert not other.is_alive() and waiting.is_alive()
    finally:
        answers.set()
        waiting.join(WITHIN_S)
