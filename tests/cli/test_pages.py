"""docs/command-line.md has every command, option and JSON key of `mig-fleet` and `mig-probe`, and no other."""

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import click
import pytest
from click.testing import CliRunner

from mig_fleet.cli import fleet as fleet_commands
from mig_fleet.cli import live_report, mig_probe
from mig_fleet.cli.__main__ import main
from mig_fleet.model import labels
from mig_fleet.model.allocation import Allocation
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.simulator.running import Status
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file import summary
from tests.model.reports import a_gpu, a_report, an_instance

FILE = Path("docs/command-line.md")
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


def probe_parsers() -> dict[str, argparse.ArgumentParser]:
    """The parsers of `mig-probe`, which its main function makes."""
    made: list[argparse.ArgumentParser] = []

    def stop(self: argparse.ArgumentParser) -> None:
        made.append(self)
        raise SystemExit

    with mock.patch.object(argparse.ArgumentParser, "parse_args", stop), pytest.raises(SystemExit):
        mig_probe.main()
    (children,) = (action for action in made[0]._actions if isinstance(action, argparse._SubParsersAction))
    return {"mig-probe": made[0], **{f"mig-probe {name}": child for name, child in children.choices.items()}}


CLICKS = dict(clicks())
PROBES = probe_parsers()
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
    program, *words = shlex.split(line.partition(" > ")[0])
    if program == "mig-probe":
        PROBES[program].parse_args(words)
        return
    command: click.Command = main
    while isinstance(command, click.Group):
        context = click.Context(command)
        _, words, _ = command.make_parser(context).parse_args(words)
        child = command.get_command(context, words.pop(0))
        assert child is not None
        command = child
    command.make_context(line, words)


GROUPS = {"mig-probe", *(name for name, command in CLICKS.items() if isinstance(command, click.Group))}


@pytest.mark.parametrize("command", [command for command in OPTIONS if command not in GROUPS])
def test_every_command_has_an_example(command: str) -> None:
    assert any(line == command or line.startswith(f"{command} ") for line in section(command).splitlines())


def test_the_link_to_a_command_leads_to_its_heading() -> None:
    linked = dict(re.findall(r"\[`([\w -]+)`\]\(#([\w-]+)\)", PAGE))
    assert linked, "the page links its commands"
    assert linked == {command: command.replace(" ", "-") for command in linked}
    assert linked.keys() <= set(HEADINGS)


def output(*words: object) -> Any:
    return json.loads(CliRunner().invoke(main, [str(word) for word in words], prog_name="mig-fleet").stdout)


def of_check() -> list[Any]:
    fits = output("check", "--gpu", "H100-80GB", "1g.10gb=2", "--price", "2.5", "--json")
    return [fits, output("check", "--gpu", "H100-80GB", "3g.40gb=3", "--json")]


def of_check_with_files(tmp_path: Path) -> list[Any]:
    file = tmp_path / "layouts.yaml"
    file.write_text("version: v1\nmig-configs: {a: [{devices: [0], mig-enabled: false}]}\n")
    return [output("check", "--gpus-per-node", "2", "--json", file)]


class AFleet:
    """A simulated fleet as `mig-fleet fleet status` sees it."""

    kubeconfig = Path("kubeconfig")

    def status(self) -> Status:
        return Status("ready", pid=1, server="https://localhost:1", processes={"etcd": 2})

    def nodes(self) -> list[dict[str, Any]]:
        return [{"metadata": {"name": "n1"}, "status": {"allocatable": {"nvidia.com/mig-1g.10gb": "7"}}}]

    def driver(self, _node: str) -> SimpleNamespace:
        model = SimpleNamespace(name="H100-80GB")
        return SimpleNamespace(gpus=[SimpleNamespace(model=model, mode=True, counts=lambda: {"1g.10gb": 7})])

    def faults(self, _node: str) -> set[str]:
        return {"manager-fails"}


def of_status(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(fleet_commands, "Fleet", lambda _directory: AFleet())
    return [output("fleet", "status", "--json")]


def of_report() -> list[Any]:
    """The outputs of `stacks.program.deploy`."""
    local = fleets.from_file(Path("stacks/Pulumi.local.yaml"))
    configs = {pool.name: pool.layout.config_name for pool in local.pools}
    slices = {pool.name: dict.fromkeys(pool.nodes, "GPU 0-7: 7x 1g.10gb") for pool in local.pools}
    amounts = {"capacity": summary.capacity(local), "cost": summary.cost(local)}
    return [{"strategy": str(local.strategy), "configs": configs, "slices": slices, **amounts}]


def of_live_report() -> list[Any]:
    """One node of each kind of report."""
    local = fleets.from_file(Path("stacks/Pulumi.local.yaml"))
    has = Allocation("team", "web", "nvidia.com/mig-1g.10gb", 0, 1, 0)
    read = replace(a_report(a_gpu(0, an_instance(1, "1g.10gb", 0, 1))), node="n1", allocations=(has,))
    node = Node(
        name="n1",
        labels={labels.CONFIG: read.config or "", labels.STATE: read.state or ""},
        annotations={labels.WAVE: "serving-wave-0"},
        allocatable={"nvidia.com/mig-1g.10gb": 1},
        report=read,
    )
    seen = Snapshot({"n1": node})
    nodes = live_report.live_nodes(local, seen, [("team", "web")])
    return [live_report.json_data(nodes, live_report.resources(nodes.values(), local, seen))]


def of_probe() -> list[Any]:
    report = a_report(a_gpu(0, an_instance(1, "1g.10gb", 0, 1)))
    allocation = Allocation("team-a", "notebook", "nvidia.com/mig-1g.10gb", 0, 1, 0)
    return [json.loads(replace(report, allocations=(allocation,)).to_json())]


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


@pytest.mark.parametrize(
    "command", ["check", "check FILE", "gpus", "fleet status", "report", "report --live", "rights", "probe"]
)
def test_the_keys_of_json_output_are_on_the_page(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = {
        "check": of_check,
        "check FILE": lambda: of_check_with_files(tmp_path),
        "gpus": lambda: [output("gpus", "--json")],
        "fleet status": lambda: of_status(monkeypatch),
        "report": of_report,
        "report --live": of_live_report,
        "rights": lambda: [output("rights", "--json")],
        "probe": of_probe,
    }[command]()
    others = {"probe": "mig-probe read", "check FILE": "mig-fleet check", "report --live": "mig-fleet report"}
    heading = others.get(command, f"mig-fleet {command}")
    tables = re.findall(r"^\| key \| content \|\n(.*?)(?:\n\n|\Z)", section(heading), re.MULTILINE | re.DOTALL)
    rows = tables[command in ("check FILE", "report --live")].splitlines()[1:]
    shown = [tuple(path.split(".")) for row in rows for path in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    above = {path[:length] for path in shown for length in range(1, len(path))}
    found = {path for sample in samples for path in key_paths(sample)}
    missing = {path for path in found if not any(is_shown(page, path) for page in (*shown, *above))}
    assert not missing, f"add to the table of JSON keys of `{heading}`: {sorted('.'.join(path) for path in missing)}"
    assert [path for path in shown if not any(is_shown(path, key) for key in found)] == []
