"""Whether a command of a page exists and takes its arguments, without running it."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import click
import pytest

from mig_fleet.cli import mig_probe
from mig_fleet.cli.__main__ import main

PULUMI = {
    "config",
    "destroy",
    "import",
    "install",
    "login",
    "new",
    "policy",
    "preview",
    "refresh",
    "stack",
    "state",
    "up",
}
"""Subcommands of the Pulumi CLI that pages use."""

OF_OTHERS = {"[", "cd", "cp", "crane", "docker", "export", "git", "helm", "kubectl", "promtool", "source"}
"""Programs of others that pages use."""


def probe_parsers() -> dict[str, argparse.ArgumentParser]:
    """The parsers of `mig-probe`, which its main function makes, by command."""
    made: list[argparse.ArgumentParser] = []

    def stop(self: argparse.ArgumentParser) -> None:
        made.append(self)
        raise SystemExit

    with mock.patch.object(argparse.ArgumentParser, "parse_args", stop), pytest.raises(SystemExit):
        mig_probe.main()
    (children,) = (action for action in made[0]._actions if isinstance(action, argparse._SubParsersAction))
    return {"mig-probe": made[0], **{f"mig-probe {name}": child for name, child in children.choices.items()}}


PROBES = probe_parsers()
TARGETS = set(re.findall(r"^([a-z-]+):", Path("Makefile").read_text("utf-8"), re.MULTILINE))


def commands(text: str) -> Iterator[str]:
    """The commands of a block. One goes on after a backslash and inside quotes."""
    begun = ""
    for line in text.replace("\\\n", " ").splitlines():
        begun = f"{begun}\n{line}" if begun else line.strip()
        try:
            shlex.split(begun, comments=True)
        except ValueError:
            continue
        yield begun
        begun = ""
    assert not begun, f"a quotation does not end: {begun}"


def accept(line: str) -> None:
    """Raises an error of click or argparse, or :class:`AssertionError`, if a line of a shell cannot be used."""
    words = shlex.split(line, comments=True)
    for part in _parts(words):
        while part and re.fullmatch(r"[A-Z_]+=.*", part[0]):
            part.pop(0)
        if part:
            _accept(Path(part[0]).name, part[1:])


def _parts(words: list[str]) -> Iterator[list[str]]:
    """The commands of a line, each without the file that it writes."""
    part: list[str] = []
    for word in [*words, "|"]:
        if word in ("|", "&&"):
            yield part[: part.index(">")] if ">" in part else part
            part = []
        else:
            part.append(word)


def _accept(program: str, words: list[str]) -> None:
    if program == "mig-probe":
        PROBES[program].parse_args(words)
    elif program == "mig-fleet":
        command: click.Command = main
        while isinstance(command, click.Group):
            context = click.Context(command)
            _, words, _ = command.make_parser(context).parse_args(words)
            child = command.get_command(context, words.pop(0))
            assert child is not None
            command = child
        command.make_context(program, words)
    elif program == "make":
        targets = [word for word in words if "=" not in word]
        assert set(targets) <= TARGETS, f"the Makefile has no such target: {targets}"
    elif program == "pulumi":
        assert words[0] in PULUMI, f"pulumi {words[0]}: add it to PULUMI in {__file__} if there is such a command"
    else:
        assert program in OF_OTHERS, f"{program}: add it to OF_OTHERS in {__file__} if readers have such a program"
