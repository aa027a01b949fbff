"""The transcripts in README.md are what the commands print."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mig_fleet.cli import import_
from mig_fleet.cli.__main__ import main
from mig_fleet.model import gpus, labels
from mig_fleet.simulator.operands.stock_layouts import stock_layouts
from tests.memory.installed import by_argo_cd, gpu_node

README = Path("README.md").read_text()
TRANSCRIPTS = dict(re.findall(r"<!-- transcript: mig-fleet ([^\n]*?) -->\n```text\n(.*?)```", README, re.DOTALL))


def test_the_readme_has_these_transcripts() -> None:
    assert sorted(TRANSCRIPTS) == [
        "check --gpu H100-80GB 3g.40gb=2 1g.10gb=1",
        "import --context prod-gpu",
        "plan",
        "status",
    ]


def test_the_imported_stack_file_is_what_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a fleet whose operator Argo CD installed."""
    cluster = by_argo_cd()
    slices = {"nvidia.com/mig-1g.10gb": 56}
    cluster.lists["/api/v1/nodes"] = [gpu_node(f"gpu-node-{number}", "all-1g.10gb", slices) for number in (1, 2)]
    cluster.config_map(labels.OPERATOR_OWNED_CONFIG_MAP, {labels.LAYOUTS_KEY: stock_layouts()})
    monkeypatch.setattr(import_, "_connect", lambda *_: cluster)
    command = "import --context prod-gpu"
    result = CliRunner().invoke(main, shlex.split(command))
    assert lines(TRANSCRIPTS[command]) == lines(result.output)


@pytest.mark.parametrize("command", sorted(TRANSCRIPTS.keys() - {"status", "import --context prod-gpu"}))
def test_a_transcript_is_what_the_command_prints(command: str) -> None:
    result = CliRunner().invoke(main, shlex.split(command), env={"COLUMNS": "100"})
    assert lines(TRANSCRIPTS[command]) == lines(result.output)


def test_the_stack_file_in_the_readme_is_the_one_of_the_project() -> None:
    shown = re.search(r"```yaml\n(config:.*?)```", README, re.DOTALL)
    assert shown
    assert yaml.safe_load(shown[1]) == yaml.safe_load(Path("stacks/Pulumi.dev.yaml").read_text())


def test_the_drivers_in_the_readme_are_those_of_the_catalog() -> None:
    drivers = re.findall(r"(R\d+) for ([A-Z]+\d+)\b", README)
    assert [family for _, family in drivers] == ["H100", "A100"]
    for driver, family in drivers:
        models = [model for model in gpus.all_models() if model.short.startswith(f"{family}-")]
        assert {model.driver_min.split()[0] for model in models if model.driver_min} == {driver}, family


def lines(text: str) -> list[str]:
    """Without the invisible blanks at the ends of lines."""
    return [line.rstrip() for line in text.strip().splitlines()]
