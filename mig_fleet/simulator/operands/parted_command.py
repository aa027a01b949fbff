"""`nvidia-mig-parted assert` inside MIG Manager's container: exit status and output of the real program.

Measured with mig-parted 0.13.1 (cmd/nvidia-mig-parted/assert). It reads the file that the kubelet has projected into
this container so far, which may be older than the ConfigMap.
"""

import argparse
import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from mig_fleet.documents import DocumentError
from mig_fleet.model.errors import InvalidPartedFile, UnknownConfig
from mig_fleet.model.parted import PartedFile
from mig_fleet.simulator.errors import PartedError
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.operands import parted

VALID: Final = "Selected MIG configuration is valid\n"
APPLIED: Final = "Selected MIG configuration currently applied\n"
MODE_APPLIED: Final = "Selected MIG mode settings from configuration currently applied\n"
FLAGS: Final = (
    ("-f", "--config-file", "MIG_PARTED_CONFIG_FILE"),
    ("-c", "--selected-config", "MIG_PARTED_SELECTED_CONFIG"),
)
SWITCHES: Final = (("-a", "--valid-config"), ("-m", "--mode-only"))


@dataclass(frozen=True, slots=True)
class Finished:
    """Exit status and output of a command."""

    code: int
    stdout: str = ""
    stderr: str = ""


def run(container: Container, arguments: Sequence[str]) -> Finished:
    """Run subcommand ``assert``; any other is refused as the real program refuses an unknown subcommand."""
    name, *rest = arguments or ("",)
    if name != "assert":
        return Finished(3, stderr=f"No help topic for '{name}'\n")
    try:
        return Finished(0, stdout=_assert(container, rest))
    except PartedError as exc:
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Finished(1, stderr=f'time="{stamp}" level=fatal msg={json.dumps(str(exc), ensure_ascii=False)}\n')


def _assert(container: Container, words: Sequence[str]) -> str:
    """The output on success; raises :class:`PartedError` with the error message."""
    options = _flags(container.environment).parse_args(words)
    if not options.config_file:
        raise PartedError("Missing required flags 'config-file'")
    config = _select(_load(container, options.config_file), options.selected_config)
    if options.valid_config:
        return VALID
    matches = parted.mode_is_applied if options.mode_only else parted.is_applied
    if not matches(container.node.driver, config):
        raise PartedError("Assertion failure: selected configuration not currently applied")
    return MODE_APPLIED if options.mode_only else APPLIED


class _Flags(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise PartedError(f"Incorrect usage: {message}")


def _flags(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = _Flags(add_help=False, allow_abbrev=False)
    for short, long, variable in FLAGS:
        parser.add_argument(short, long, default=environment.get(variable, ""))
    for short, long in SWITCHES:
        parser.add_argument(short, long, action="store_true")
    return parser


def _load(container: Container, path: str) -> PartedFile:
    content = container.mounts.read(path)
    if content is None:
        raise PartedError(f"Error parsing config file: read error: open {path}: no such file or directory")
    try:
        return parted.load(content)
    except (InvalidPartedFile, DocumentError) as exc:
        raise PartedError(f"Error parsing config file: unmarshal error: {exc}") from None


def _select(file: PartedFile, name: str) -> parted.Config:
    if not name and len(file.configs) > 1:
        missing = "missing required flag 'selected-config' when more than one config available"
        raise PartedError(f"Error selecting MIG config: {missing}")
    try:
        return file.select(name or next(iter(file.configs), ""))
    except UnknownConfig:
        raise PartedError(f"Error selecting MIG config: selected mig-config not present: {name}") from None
