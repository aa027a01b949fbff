"""The page about the command line has every command, option and JSON key of our two programs, and no other."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from mig_fleet.cli.__main__ import main
from tests.cli.json_samples import SAMPLES
from tests.docs.commands import PROBES, accept

FILE = Path("docs/reference/command-line.md")
PAGE = FILE.read_text("utf-8")
HEADINGS = re.findall(r"^##+ `(.*)`$", PAGE, re.MULTILINE)
OF_OTHERS = {"--diff"}
"""Options of the Pulumi CLI on the page."""


def section(command: str) -> str:
    """The text below the heading of a command, without its subcommands."""
    found = re.search(rf"^##+ `{command}`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"{FILE} has no heading: ## `{command}`"
    return found[1]


def clicks(command: click.Command = main, name: str = "mig-fleet") -> Iterator[tuple[str, click.Command]]:
    """Every command that is not hidden, with its full name."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            if not found.hidden:
                yield from clicks(found, f"{name} {child}")


CLICKS = dict(clicks())
OPTIONS = {
    name: {
        option: f"| `{option}` | {parameter.help} |"
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for name, command in CLICKS.items()
} | {
    name: {
        option: f"| `{option} {action.metavar or action.dest.upper()}` | {action.help} |"
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction) and action.help is not argparse.SUPPRESS
        for option in action.option_strings
    }
    for name, parser in PROBES.items()
}
"""Command → option → the line that documents it."""


def test_the_commands_on_the_page_are_those_of_the_package() -> None:
    missing = [f"## `{command}`" for command in OPTIONS if command not in HEADINGS]
    assert not missing, f"add to {FILE}, with what it is for and an example:\n" + "\n".join(missing)
    assert set(HEADINGS) == OPTIONS.keys(), "there is no such command"


@pytest.mark.parametrize("command", OPTIONS)
def test_every_option_of_a_command_is_in_its_table_and_exists(command: str) -> None:
    shown = re.findall(r"^\| `(--?[\w-]+)", section(command), re.MULTILINE)
    missing = [line for option, line in OPTIONS[command].items() if option not in shown]
    assert not missing, f"add to the table of `{command}` in {FILE}:\n" + "\n".join(missing)
    assert set(shown) == OPTIONS[command].keys(), f"`{command}` has no such option"


def test_every_option_that_a_sentence_names_exists() -> None:
    known = {option for options in OPTIONS.values() for option in options} | OF_OTHERS | {"--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", PAGE)) <= known


EXAMPLES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("line", [line for line in EXAMPLES if line.startswith("mig-")])
def test_an_example_is_accepted_by_its_command(line: str) -> None:
    accept(line)


GROUPS = {"mig-probe", *(name for name, command in CLICKS.items() if isinstance(command, click.Group))}


@pytest.mark.parametrize("command", [command for command in OPTIONS if command not in GROUPS])
def test_every_command_has_an_example(command: str) -> None:
    assert any(line == command or line.startswith(f"{command} ") for line in section(command).splitlines())


def test_the_link_to_a_command_leads_to_its_heading() -> None:
    linked = dict(re.findall(r"\[`([\w -]+)`\]\(#([\w-]+)\)", PAGE))
    assert linked, "the page links its commands"
    assert linked == {command: command.replace(" ", "-") for command in linked}
    assert linked.keys() <= set(HEADINGS)


TABLES = {
    "check-files": ("mig-fleet check", 1),
    "gpus-profile": ("mig-fleet gpus", 1),
    "plan-against": ("mig-fleet plan", 1),
    "probe-read": ("mig-probe read", 0),
    "simulate-fault": ("mig-fleet simulate fault", 0),
    "simulate-faults": ("mig-fleet simulate faults", 0),
    "simulate-status": ("mig-fleet simulate status", 0),
    "status-live": ("mig-fleet status", 1),
}
"""Output → its section and the number of its table there, where these are not clear from the name."""

DESCRIBED_BY_SCHEMA = {"review"}
"""Outputs with so many keys that the page has a link to the schema, with the meaning of each, instead of a table."""


def key_paths(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """``("placements",)`` and ``("placements[]", "start")`` for ``{"placements": [{"start": 0}]}``."""
    if above:
        yield above
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from key_paths(inner, (*above, key))
    elif isinstance(value, list):
        for inner in value:
            item = (*above[:-1], f"{above[-1]}[]") if above else ()
            yield from (path for path in key_paths(inner, item) if path != item)


def is_shown(shown: tuple[str, ...], found: tuple[str, ...]) -> bool:
    """Whether a path on the page is a path in JSON; ``PROFILE`` stands for any key, ``FILE[]`` for any list."""
    return len(shown) == len(found) and all(
        page == key or (page.strip("[]").isupper() and page.endswith("[]") == key.endswith("[]"))
        for page, key in zip(shown, found, strict=True)
    )


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - DESCRIBED_BY_SCHEMA))
def test_the_keys_of_json_output_are_on_the_page(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = SAMPLES[name](tmp_path, monkeypatch)
    heading, number = TABLES.get(name, (f"mig-fleet {name}", 0))
    tables = re.findall(r"^\| key \| content \|\n(.*?)(?:\n\n|\Z)", section(heading), re.MULTILINE | re.DOTALL)
    rows = tables[number].splitlines()[1:]
    shown = [tuple(path.split(".")) for row in rows for path in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    above = {path[:length] for path in shown for length in range(1, len(path))}
    found = {path for sample in samples for path in key_paths(sample)}
    missing = {path for path in found if not any(is_shown(page, path) for page in (*shown, *above))}
    assert not missing, f"add to the table of JSON keys of `{heading}`: {sorted('.'.join(path) for path in missing)}"
    assert [path for path in shown if not any(is_shown(path, key) for key in found)] == []
