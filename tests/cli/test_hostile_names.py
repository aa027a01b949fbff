"""Names in files of others reach a terminal: no command prints a control or bidirectional character of them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from mig_fleet.cli.__main__ import main

EVIL = "evil\x1b[2K\x1b]52;c;ZXZpbA==\x07\r\u202egpj\x9b"
"""Erases the line, fills the clipboard, writes over it, and reorders the rest."""


def parted(entry: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """A layout file with one config, and these fields in its entry."""
    fields = {"devices": "all", "mig-enabled": True, "mig-devices": {"1g.10gb": 7}}
    return {"version": "v1", "mig-configs": {EVIL: [{**fields, **entry}]}}


def config_map(file: dict[str, Any]) -> dict[str, Any]:
    """As `kubectl get configmaps -o yaml` prints it."""
    return {
        "kind": "List",
        "items": [
            {"kind": "ConfigMap", "metadata": {"name": EVIL}, "data": {"config.yaml": yaml.safe_dump(file)}},
        ],
    }


def stack(**pool: Any) -> dict[str, Any]:
    layouts = {EVIL: {"gpu": "H100-80GB", "all": {f"1g.10gb{EVIL}": 7}}}
    pools = {EVIL: {"gpu": EVIL, "gpusPerNode": 2, "nodes": [EVIL], "layout": EVIL, **pool}}
    return {"config": {"mig-fleet:layouts": layouts, "mig-fleet:pools": pools, f"mig-fleet:{EVIL}": 1}}


FILES = {
    "a config name": parted(),
    "a device filter": parted({"device-filter": f"0x233010DE{EVIL}"}),
    "a profile": parted({"mig-devices": {f"1g.10gb{EVIL}": 7}}),
    "a field": parted({EVIL: 1}),
    "a value": parted({"mig-enabled": EVIL}),
    "a version": {**parted(), "version": EVIL},
    "a ConfigMap": config_map(parted()),
    "a ConfigMap that mig-parted refuses": config_map(parted({EVIL: 1})),
    "a playbook": [{"hosts": "all", "vars": {"mig_nodes": [{"name": EVIL, "profile": EVIL}]}}],
    "a stack file": stack(),
    "an unknown key": stack(**{EVIL: 1}),
}


@pytest.mark.parametrize(
    "command", [["check"], ["import", "--gpu", "H100-80GB", "--gpus-per-node", "2"], ["plan", "--file"]]
)
@pytest.mark.parametrize("file", FILES)
def test_no_command_prints_what_a_terminal_obeys(tmp_path: Path, file: str, command: list[str]) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(yaml.safe_dump(FILES[file]))
    # With color, `click` leaves escape sequences as they are.
    done = CliRunner().invoke(main, [*command, str(path)], color=True)
    assert isinstance(done.exception, SystemExit | None), done.exception
    assert {c for c in done.output if not c.isprintable()} <= {"\n"}, done.output


@pytest.mark.parametrize("content", [None, "a: [", yaml.safe_dump(stack())], ids=["missing", "not YAML", "mistakes"])
@pytest.mark.parametrize("command", [["check"], ["plan", "--file"], ["rights", "--file"]])
def test_the_name_of_a_file_is_on_one_line(
    tmp_path: Path, command: list[str], content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("x\n\x1b[2K.yaml").write_text(content)
    done = CliRunner().invoke(main, [*command, "x\n\x1b[2K.yaml"], color=True)
    assert isinstance(done.exception, SystemExit) and r"x\n\x1b[2K.yaml" in done.output, done.output
    assert "\x1b" not in done.output
