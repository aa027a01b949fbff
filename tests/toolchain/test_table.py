"""`mig-fleet toolchain` as a user sees it."""

import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from mig_fleet.cli.commands.toolchain import toolchain
from mig_fleet.cli.progress import describe, progress_on
from mig_fleet.cli.toolchain import table
from mig_fleet.toolchain import Step, ensure, family
from tests.toolchain.conftest import Computer

Run = Callable[..., Result]


@pytest.fixture
def run(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command on the machine without tools, with a wide terminal."""
    monkeypatch.setenv("COLUMNS", "400")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(toolchain, arguments, env={"MIG_FLEET_GO": None, **computer.variables})

    return invoke


def test_the_table_has_tool_version_place_and_why_earlier_places_were_skipped(computer: Computer, run: Run) -> None:
    computer.has_go()
    computer.has("path", "etcd", "etcd Version: 3.4.23")
    result = run()
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "tool" and "skipped" in lines[0]
    assert len(lines) == 7 and result.exit_code == 0
    row = next(line for line in lines if line.startswith("etcd"))
    assert "3.7.3" in row and "build" in row
    assert "is 3.4.23, required is 3.5.13 or newer, below 4.0.0; not in the cache; downloads are disabled" in row


def test_check_only_reports_and_fails_when_something_is_missing(computer: Computer, run: Run) -> None:
    computer.has_go()
    result = run("--check")
    assert result.exit_code == 1
    assert result.stdout.count("missing") == 6
    assert computer.builds == []


def test_check_succeeds_when_no_tool_is_missing(computer: Computer, run: Run) -> None:
    computer.has_go()
    run()
    assert run("--check").exit_code == 0


def test_cached_tools_are_listed_without_starting_a_process(
    computer: Computer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    computer.has_go()
    run()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a cached tool is not run")

    monkeypatch.setattr("subprocess.Popen", refuse)
    began = time.monotonic()
    assert run().exit_code == 0
    assert time.monotonic() - began < 2


def test_paths_are_for_scripts(computer: Computer, run: Run) -> None:
    computer.has_go()
    result = run("etcd", "--paths")
    name, _, path = result.stdout.strip().partition("=")
    assert name == "etcd" and path.startswith(str(computer.cache))


def test_a_machine_without_any_tool_gets_one_message(run: Run) -> None:
    result = run()
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: 6 tool(s) are missing:")
    assert "Two ways to get them:" in result.stderr and "Traceback" not in result.stderr


def test_a_misspelt_family_gets_one_message(run: Run) -> None:
    result = run("etdc")
    assert (result.exit_code, "did you mean 'etcd'?" in result.stderr) == (1, True)


def test_the_help_lists_the_places_in_their_order(run: Run) -> None:
    text = run("--help").output
    assert text.index("MIG_FLEET_PULUMI") < text.index("2. PATH") < text.index("3. the cache")
    assert text.index("4. the official download") < text.index("5. a build with Go")


def test_a_log_has_lines_of_long_steps_only() -> None:
    log = io.StringIO()
    show = progress_on(Console(file=log, width=300), plain_seconds=0.2)
    with show(Step("a brief thing 1.0", "building", None, ())):
        assert log.getvalue() == "", "a short step prints nothing"
    assert log.getvalue() == ""
    with show(Step("etcd 3.7.3", "building", 0.5, ("more 1.0",))):
        time.sleep(1.5)
    lines = log.getvalue().splitlines()
    assert lines[0] == "building etcd 3.7.3: 0:01 (about 0:30 on 2 cores when nothing is cached), next: more 1.0"
    assert lines[-1] == "finished building etcd 3.7.3 in 0:01"


def test_a_terminal_shows_one_live_line() -> None:
    screen = io.StringIO()
    with progress_on(Console(file=screen, force_terminal=True, width=200))(Step("etcd 3.7.3", "building", 0.5, ())):
        time.sleep(0.6)
    assert "building etcd 3.7.3: 0:00 (about 0:30" in screen.getvalue()


def test_a_download_has_no_estimate() -> None:
    assert describe(Step("etcd 3.7.3", "downloading", None, ()), 5) == "downloading etcd 3.7.3: 0:05"


def test_a_line_has_the_share_that_is_done(tmp_path: Path) -> None:
    log = tmp_path / "log"
    step = Step("etcd 3.7.3", "building", None, ("more 1.0",), log)
    log.write_text("go: downloading a.b/c v1.0.0\n")
    assert describe(step, 5) == "building etcd 3.7.3: reading the sources, 1 modules downloaded, 0:05, next: more 1.0"
    log.write_text("4 packages, 2 to compile:\na.b/c\n")
    assert describe(step, 65) == "building etcd 3.7.3: 3 of 4 packages, 75 %, 1:05, next: more 1.0"
    log.write_text("4 packages, 2 to compile:\na.b/c\na.b/d\n")
    assert describe(step, 66) == "building etcd 3.7.3: linking, 1:06, next: more 1.0"


def test_the_table_names_the_variable_that_was_used(computer: Computer) -> None:
    computer.override("etcd", computer.has("mine", "etcd"))
    screen = io.StringIO()
    Console(file=screen, width=200).print(table(ensure([family("etcd")], environment=computer.environment)))
    assert "environment (MIG_FLEET_ETCD)" in screen.getvalue()
