"""`mig-probe` as users and DaemonSets call it."""

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.cli import mig_probe
from mig_fleet.probe import __main__ as packed_probe
from mig_fleet.probe import watch
from mig_fleet.probe.pod_resources import Kubelet

Call = tuple[Any, ...]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The arguments of each call of `watch`, which here returns at once; the last one is `mig_uuids`."""
    calls: list[Call] = []

    def record(*arguments: Any, mig_uuids: bool) -> None:
        calls.append((*arguments, mig_uuids))
        raise SystemExit(0)

    monkeypatch.setattr(watch, "watch", record)
    return calls


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str, packed: bool = True) -> object:
    """The exit status of the packed probe, or of the installed command."""
    monkeypatch.setattr(sys, "argv", ["mig-probe", *arguments])
    with pytest.raises(SystemExit) as ended:
        (packed_probe if packed else mig_probe).main()
    return ended.value.code


def test_the_node_is_that_of_the_argument_or_of_the_pod(
    monkeypatch: pytest.MonkeyPatch, watched: list[Call], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NODE_NAME", "n1")
    call(monkeypatch, "watch")
    call(monkeypatch, "watch", "--node", "n2", "--interval", "2", "--heartbeat", "60")
    assert watched == [("n1", 15.0, 100.0, None, False), ("n2", 2.0, 60.0, None, False)]
    assert capsys.readouterr().err == ""


def test_without_a_name_the_machines_name_is_used_and_a_message_says_so(
    monkeypatch: pytest.MonkeyPatch, watched: list[Call], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NODE_NAME", raising=False)
    call(monkeypatch, "watch")
    assert [node for node, *_ in watched] == [socket.gethostname()]
    assert "NODE_NAME is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "folder"),
    [(["--pod-resources"], "/var/lib/kubelet/pod-resources"), (["--pod-resources", "/kubelet"], "/kubelet")],
)
def test_the_kubelet_is_asked_if_an_option_says_so(
    monkeypatch: pytest.MonkeyPatch, watched: list[Call], option: list[str], folder: str
) -> None:
    call(monkeypatch, "watch", "--node", "n1", *option)
    assert watched == [("n1", 15.0, 100.0, Kubelet(Path(folder)), False)]


def test_uuids_of_slices_are_reported_if_an_option_says_so(
    monkeypatch: pytest.MonkeyPatch, watched: list[Call]
) -> None:
    call(monkeypatch, "watch", "--node", "n1", "--mig-uuids")
    assert watched == [("n1", 15.0, 100.0, None, True)]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("arguments", [[], ["blink"], ["watch", "--interval", "0"], ["watch", "--heartbeat", "soon"]])
def test_bad_usage_is_exit_status_2_and_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], packed: bool
) -> None:
    assert call(monkeypatch, *arguments, packed=packed) == 2
    assert "mig-probe" in capsys.readouterr().err


def test_a_text_without_a_number_of_seconds_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, "watch", "--interval", "abc")
    assert "argument --interval: must be a number of seconds, found 'abc'" in capsys.readouterr().err


@pytest.mark.parametrize(("packed", "commands"), [(True, {"read", "watch"}), (False, {"read", "watch", "assert"})])
def test_the_help_names_the_commands_and_promises_to_write_to_no_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], packed: bool, commands: set[str]
) -> None:
    assert call(monkeypatch, "--help", packed=packed) == 0
    output = capsys.readouterr().out
    assert {name for name in ("read", "assert", "watch") if f"mig-probe {name}" in output} == commands
    assert "Nothing is ever written to a GPU." in output
