"""`mig-probe` as people and DaemonSets call it."""

import socket
import sys

import pytest

from mig_fleet.probe import __main__ as command
from mig_fleet.probe import watch


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float, float]]:
    """What `watch` was told, which here returns at once."""
    told: list[tuple[str, float, float]] = []

    def note(node: str, interval_s: float, heartbeat_s: float) -> None:
        told.append((node, interval_s, heartbeat_s))
        raise SystemExit(0)

    monkeypatch.setattr(watch, "watch", note)
    return told


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["mig-probe", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return ended.value.code


def test_the_node_is_the_one_its_pod_was_told(
    monkeypatch: pytest.MonkeyPatch, watched: list[tuple[str, float, float]], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NODE_NAME", "n1")
    call(monkeypatch, "watch")
    call(monkeypatch, "watch", "--node", "n2", "--interval", "2", "--heartbeat", "60")
    assert watched == [("n1", 15.0, 100.0), ("n2", 2.0, 60.0)]
    assert capsys.readouterr().err == ""


def test_without_a_name_the_machines_has_to_do_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, watched: list[tuple[str, float, float]], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NODE_NAME", raising=False)
    call(monkeypatch, "watch")
    assert [node for node, *_ in watched] == [socket.gethostname()]
    assert "NODE_NAME is not set" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["blink"], ["watch", "--interval", "0"], ["watch", "--heartbeat", "soon"]])
def test_bad_usage_is_exit_status_2_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert call(monkeypatch, *arguments) == 2
    assert "mig-probe" in capsys.readouterr().err


def test_seconds_that_are_none_are_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, "watch", "--interval", "abc")
    assert "argument --interval: should be a number of seconds, found 'abc'" in capsys.readouterr().err


def test_help_names_every_command_and_what_it_never_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--help") == 0
    said = capsys.readouterr().out
    assert all(f"mig-probe {name}" in said for name in ("read", "assert", "watch"))
    assert "Nothing is ever written to a GPU." in said
