"""Tables show every cell in full, in a pipe and on a narrow terminal."""

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from rich.console import Console
from rich.table import Table

from mig_fleet.cli import status, tables

LONG = "nvidia.com/mig-1g.10gb.me, " * 8


@pytest.mark.parametrize("kind", [tables.bare, tables.ruled])
def test_a_pipe_gets_each_row_on_one_line(kind: Callable[..., Table]) -> None:
    table = kind("short", "long")
    table.add_row("a", LONG)
    console = Console(file=io.StringIO(), width=80)
    tables.show(table, console)
    assert LONG.strip() in printed(console)


@pytest.mark.parametrize("kind", [tables.bare, tables.ruled])
def test_a_narrow_terminal_gets_folded_cells_and_every_letter(kind: Callable[..., Table]) -> None:
    table = kind("short", "long")
    table.add_row("a", "x" * 100)
    console = Console(file=io.StringIO(), width=30, force_terminal=True, color_system=None)
    tables.show(table, console)
    lines = printed(console).splitlines()
    assert sum(line.count("x") for line in lines) == 100
    assert max(map(len, lines)) <= 30
    assert "…" not in printed(console)


VERIFICATION = {
    "type": "pulumi-python:dynamic/mig:Verification",
    "parent": "urn:pulumi:local::mig-fleet::mig-fleet:index:Pool::training",
    "outputs": {
        "slices": {"a-node-with-a-name-as-long-as-clouds-make-them": "GPU 0-1: 2x 3g.40gb; GPU 2-3: MIG off"},
        "expected": {"config": "training-and-inference-7fed796b"},
    },
}


@pytest.mark.parametrize("terminal", [True, False])
def test_the_report_keeps_gpus_and_slices_side_by_side(
    terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_words: object, **_options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess([], 0, json.dumps({"deployment": {"resources": [VERIFICATION]}}), "")

    monkeypatch.setattr(subprocess, "run", answer)
    monkeypatch.chdir(tmp_path)
    workspace: Any = SimpleNamespace(pulumi=Path("pulumi"), environment=dict)
    console = Console(file=io.StringIO(), width=60, force_terminal=terminal, color_system=None)
    status.show(workspace, "local", console)
    lines = printed(console).splitlines()
    for gpus, slices in (("0-1", "2x"), ("2-3", "MIG off")):
        assert any(gpus in line and slices in line for line in lines), printed(console)
    if not terminal:
        assert lines[0].strip() == "Stack local, as NVML counted it when each wave was last verified"
        assert any("as-long-as-clouds-make-them   training " in line for line in lines), printed(console)


@pytest.mark.parametrize(
    ("stack", "rc", "text"),
    [
        ("local", 255, "the only backend that this command reads: no stack named 'local' found\nrun `make up` first"),
        (
            "prod",
            255,
            "`make up` only deploys stack local; deploy 'prod' there with `mig-fleet pulumi stack select prod",
        ),
        ("prod", 0, "'prod' has not been deployed in state\n`make up` only deploys stack local"),
    ],
)
def test_a_missing_report_names_the_backend_and_what_would_work(
    stack: str, rc: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_words: object, **_options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess([], rc, "{}", f"no stack named '{stack}' found\n")

    monkeypatch.setattr(subprocess, "run", answer)
    workspace: Any = SimpleNamespace(pulumi=Path("pulumi"), state=Path("state"), environment=dict)
    with pytest.raises(click.ClickException) as refused:
        status.outputs(workspace, stack)
    assert text in refused.value.message


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
