"""The ways by which a layout file from a user comes into mig-fleet. Each returns all that it prints about the file."""

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from click.testing import CliRunner

from mig_fleet.cli import mig_probe
from mig_fleet.cli.__main__ import main
from mig_fleet.documents import DocumentError, dump
from mig_fleet.model import parted
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.model.report import Gpu, Report
from mig_fleet.observed.configs.layout_file import parse_live_file
from mig_fleet.policies import layout_file_is_sound
from mig_fleet.policy.pulumi_policies import as_pulumi_policy

Entrance = Callable[[Path], str]
"""Reads the file at a path."""

REPORT = Report(
    node="n1",
    driver_version="580.126.09",
    config=None,
    state=None,
    gpus=(Gpu(0, "GPU-0", "0x233010DE", "NVIDIA H100 80GB HBM3", 81559, True, True, ()),),
)


def mig_fleet(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="mig-fleet")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.output


def check(path: Path) -> str:
    return mig_fleet("check", path)


def import_(path: Path) -> str:
    return mig_fleet("import", path, "--gpu", "H100-80GB", "--gpus-per-node", 8)


def check_of_a_config_map(path: Path) -> str:
    return mig_fleet("check", _config_map(path))


def import_of_a_config_map(path: Path) -> str:
    return mig_fleet("import", _config_map(path), "--gpu", "H100-80GB", "--gpus-per-node", 8)


def mig_probe_assert(path: Path) -> str:
    report = path.with_name("report.json")
    report.write_text(REPORT.to_json())
    return _mig_probe("assert", str(path), "dense", "--report", str(report))


def mig_probe_assert_of_standard_input(path: Path) -> str:
    report = path.with_name("report.json")
    report.write_text(REPORT.to_json())
    with patch.object(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes()))):
        return _mig_probe("assert", "-", "dense", "--report", str(report))


def policy(path: Path) -> str:
    found: list[str] = []

    def report(message: str, _urn: str | None = None) -> None:
        found.append(message)

    props = {"data": {"config.yaml": path.read_text()}}
    kind = "kubernetes:core/v1:ConfigMap"
    args = SimpleNamespace(resource_type=kind, props=props, urn="urn:x", name="x", get_config=dict)
    cast(Any, as_pulumi_policy(layout_file_is_sound.POLICY)).validate(args, report)
    return "\n".join(found)


def live_file(path: Path) -> str:
    try:
        parted.read(parse_live_file({"data": {"config.yaml": path.read_text()}}))
    except (DocumentError, InvalidPartedFile) as error:
        return str(error)
    return ""


OF_BYTES: list[Entrance] = [check, import_, mig_probe_assert, mig_probe_assert_of_standard_input]
OF_TEXT: list[Entrance] = [check_of_a_config_map, import_of_a_config_map, policy, live_file]
"""A ConfigMap holds text, so bytes that are not UTF-8 cannot come in here."""


def _config_map(path: Path) -> Path:
    config_map = path.with_name("config-map.yaml")
    config_map.write_text(dump({"kind": "ConfigMap", "data": {"config.yaml": path.read_text()}}))
    return config_map


def _mig_probe(*arguments: str) -> str:
    output = io.StringIO()
    argv = patch.object(sys, "argv", ["mig-probe", *arguments])
    with redirect_stdout(output), redirect_stderr(output), argv, suppress(SystemExit):
        mig_probe.main()
    return output.getvalue()
