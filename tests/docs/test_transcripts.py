"""What pages show as the output of a command is what it prints."""

import io
import json
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from mig_fleet.cli import import_, status
from mig_fleet.cli.__main__ import main
from mig_fleet.model import labels
from mig_fleet.model.formatting import format_gpus
from mig_fleet.simulator.operands.stock_layouts import stock_layouts
from mig_fleet.stack_file import fleet
from tests.docs.blocks import ROOT, Block, blocks
from tests.memory.installed import by_argo_cd, gpu_node

MARK = "transcript: mig-fleet "
TRANSCRIPTS = [block for block in blocks() if block.note.startswith(MARK)]
OF_A_CLUSTER = ("import --context prod-gpu", "status")
"""Commands that need a cluster or the state of a stack."""


def command_of(block: Block) -> str:
    return block.note.removeprefix(MARK)


def lines(text: str) -> list[str]:
    """Without the invisible blanks at the ends of lines."""
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("block", [it for it in TRANSCRIPTS if command_of(it) not in OF_A_CLUSTER], ids=str)
def test_a_transcript_is_what_the_command_prints(block: Block) -> None:
    result = CliRunner().invoke(main, shlex.split(command_of(block)), env={"COLUMNS": "100"})
    assert lines(block.text) == lines(result.output)


@pytest.mark.parametrize("block", [it for it in TRANSCRIPTS if command_of(it) == OF_A_CLUSTER[0]], ids=str)
def test_an_imported_stack_file_is_what_the_command_prints(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a fleet whose operator Argo CD installed."""
    cluster = by_argo_cd()
    slices = {"nvidia.com/mig-1g.10gb": 56}
    cluster.lists["/api/v1/nodes"] = [gpu_node(f"gpu-node-{number}", "all-1g.10gb", slices) for number in (1, 2)]
    cluster.config_map(labels.OPERATOR_OWNED_CONFIG_MAP, {labels.LAYOUTS_KEY: stock_layouts()})
    monkeypatch.setattr(import_, "_connect", lambda *_: cluster)
    result = CliRunner().invoke(main, shlex.split(command_of(block)))
    assert lines(block.text) == lines(result.output)


def slices_of(pool: fleet.FleetPool) -> str:
    return format_gpus(dict(enumerate(pool.layout.per_gpu(pool.settings.gpus_per_node))))


@pytest.mark.parametrize("block", [it for it in TRANSCRIPTS if command_of(it) == "status"], ids=str)
def test_the_status_is_that_of_stack_local_when_every_wave_is_verified(
    block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is made from the stack file; tests/cli/test_tables.py shows the same table of other states."""
    monkeypatch.chdir(ROOT)
    declared = fleet.from_file(Path("stacks/Pulumi.local.yaml"))
    waves = [
        {
            "type": "pulumi-python:dynamic/mig:Verification",
            "parent": f"urn:pulumi:local::mig-fleet::mig-fleet:index:Pool::{pool.name}",
            "outputs": {
                "expected": {"config": pool.layout.config_name},
                "slices": dict.fromkeys(pool.nodes, slices_of(pool)),
            },
        }
        for pool in declared.pools
    ]
    stack = {"type": "pulumi:pulumi:Stack", "outputs": {"cost": {"perHourUsd": 66.4}}}
    answer = json.dumps({"deployment": {"resources": [stack, *waves]}})
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, answer, ""))
    console = Console(file=io.StringIO(), width=100, color_system=None)
    workspace: Any = SimpleNamespace(pulumi=Path("pulumi"), state=ROOT, environment=dict)
    status.show(workspace, "local", console)
    assert isinstance(console.file, io.StringIO)
    assert lines(block.text) == lines(console.file.getvalue())


def test_every_page_that_needs_a_transcript_has_one() -> None:
    assert {command_of(block) for block in TRANSCRIPTS} >= {*OF_A_CLUSTER, "plan"}
