"""Help and completion start fast, and styles are only for terminals."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.shell_completion import shell_complete

from benchmarks.help import seconds
from mig_fleet.cli.__main__ import main
from tests.cli.test_pages import CLICKS, PAGE

PROGRAM = str(Path(sys.executable).with_name("mig-fleet"))
REQUIRED = "MIG_FLEET_SHELLS"
"""With this variable, a shell that is not installed is a failure and no skip."""
OURS = re.compile(r"mig_fleet(\.cli(\.__main__|\.commands(\..+)?|\.options)?)?")
"""Our modules that help may import: arguments and help only."""
OF_PYTHON = {"_datetime", "_opcode", "_typing", "_uuid", "ast", "datetime", "dis", "opcode", "uuid"}
"""Modules of the standard library that help may import beyond those of click."""
CLICK_ALONE = """
import click
@click.command()
@click.option("--count", type=int, default=1, help="A number.")
@click.version_option(package_name="click")
def main(count): "One word."
main(["--help"], standalone_mode=False)
"""
LOADED = """
import sys
lines = {}
class Watch:
    def find_spec(self, name, path=None, target=None):
        frame = sys._getframe()
        while frame and "/mig_fleet/" not in frame.f_code.co_filename:
            frame = frame.f_back
        lines[name] = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
sys.meta_path.insert(0, Watch())
"""
"""Records which of our lines was the first to import a module, or led to it."""
PRINTED = """
import json
print("loaded:", json.dumps({name: lines.get(name, "") for name in sys.modules}))
"""


def loaded(script: str, names: str = "") -> dict[str, str]:
    """The modules of a process with this script → the line of ours that imported each, empty if none did."""
    text = f"{LOADED}{script}{PRINTED}"
    done = subprocess.run([sys.executable, "-c", text], input=names, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout.rpartition("loaded: ")[2])
    return found


def test_help_imports_click_and_what_is_named_here() -> None:
    """Of every command, all in one process, which has the imports of all."""
    script = """
import sys
from mig_fleet.cli.__main__ import main
for words in sys.stdin.read().splitlines():
    try:
        main([*words.split(), "--help"], prog_name="mig-fleet")
    except SystemExit as exit:
        assert exit.code == 0, words
"""
    names = "\n".join(name.removeprefix("mig-fleet").strip() for name in CLICKS)
    allowed = {*loaded(CLICK_ALONE), *OF_PYTHON}
    found = loaded(script, names)
    assert "mig_fleet.cli.commands.plan" in found
    others = [
        f"{line} imports {name}" for name, line in found.items() if name not in allowed and not OURS.fullmatch(name)
    ]
    assert not others, "import it in the function that needs it, or allow it in OF_PYTHON: " + "; ".join(others)


def test_help_takes_less_than_300_ms_of_processor_time() -> None:
    """The least of several runs; `python -m benchmarks.help` measures every command."""
    assert seconds([PROGRAM, "--help"]) < 0.3


# Completion


SHELLS = {
    "bash": ("bash", "-c", "", "complete -p mig-fleet"),
    "zsh": ("zsh", "-fc", "autoload -U compinit && compinit -D", "print $_comps[mig-fleet]"),
    "fish": ("fish", "-c", "", "complete -c mig-fleet"),
}
"""Shell → how it runs a text, what comes before the line of the docs, and what prints the completion after it."""


def run(*command: str, **variables: str) -> str:
    path = f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_has_a_script_for_completion(shell: str) -> None:
    script = run("mig-fleet", _MIG_FLEET_COMPLETE=f"{shell}_source")
    assert f"_MIG_FLEET_COMPLETE={shell}_complete" in script


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_accepts_the_line_of_the_docs(shell: str) -> None:
    if shutil.which(shell) is None:
        without = pytest.fail if REQUIRED in os.environ else pytest.skip
        without(f"{shell} is not installed; run: apt-get install --no-install-recommends {shell}")
    program, option, before, after = SHELLS[shell]
    line = re.search(rf"^\| {shell} \| `[^`]+` \| `(.+)` \|$", PAGE, re.MULTILINE)
    assert line
    text = "\n".join(filter(None, (before, line[1].replace("\\|", "|"), after)))
    assert "mig" in run(program, option, text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mig-fleet pl", {"plan"}),
        ("mig-fleet simulate f", {"fault", "faults"}),
        ("mig-fleet plan --a", {"--against"}),
        ("mig-fleet plan --stack st", {"staging"}),
        ("mig-fleet status --stack pr", {"prod"}),
        ("mig-fleet simulate fault gpu-node-1 manager-s", {"manager-silent", "manager-stuck-pending", "manager-slow"}),
    ],
)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_tab_completes_commands_options_stacks_and_faults(
    shell: str, line: str, expected: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = line.split()
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words) - 1))
    assert shell_complete(main, {}, "mig-fleet", "_MIG_FLEET_COMPLETE", f"{shell}_complete") == 0
    assert expected <= set(re.split(r"[,\s]", capsys.readouterr().out))


# Styles


def on_terminal(*arguments: str, **variables: str) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **variables}
    process = subprocess.Popen([PROGRAM, *arguments], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    text = b"".join(_read(ours)).decode()
    os.close(ours)
    assert process.wait(60) == 0, text
    return text


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(terminal, 65536)
        except OSError:  # Linux reports the end like this
            return


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("plain")
def test_a_terminal_has_styles_and_a_pipe_has_none() -> None:
    assert "\x1b[1m" in on_terminal("plan")
    assert "\x1b" not in run(PROGRAM, "plan")


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("arguments", [["plan"], ["gpus"], ["simulate", "faults"]], ids=" ".join)
def test_no_color_switches_colors_off(arguments: list[str]) -> None:
    codes = [code for part in on_terminal(*arguments, NO_COLOR="1").split("\x1b[")[1:] for code in sgr(part)]
    assert not [code for code in codes if 30 <= code <= 49 or 90 <= code <= 107]


def sgr(part: str) -> list[int]:
    """The numbers of a sequence that selects a style."""
    numbers, letter, _ = part.partition("m")
    return [int(number) for number in numbers.split(";") if number.isdigit()] if letter else []
