"""A fork does what a start of Python would: the same program, environment, streams, signals and end."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from mig_fleet.simulator.polling import wait_until
from tests.forked_python import SERVERS, forked_python

pytestmark = pytest.mark.slow

WHAT_IT_IS = """
import json, os, sys
print(json.dumps({
    "name": __name__, "main": sys.modules["__main__"].__dict__ is globals(), "arguments": sys.argv[1:],
    "path": sys.path[0], "folder": os.getcwd(), "given": os.environ.get("GIVEN"),
    "pulumi": "pulumi.dynamic" in sys.modules,
    "prefix": sys.prefix, "parent": os.getppid(),
}))
"""
WAITS = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def python() -> Path:
    return forked_python() / "bin" / "python"


def a_program(folder: Path, text: str) -> Path:
    file = folder / "program.py"
    file.write_text(textwrap.dedent(text))
    return file


def is_running(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("options", [("-u",), ("-P", "-u"), ("-I",), ("-u", "-m")])
def test_a_program_sees_what_it_would_see_in_a_python_of_its_own(
    python: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = a_program(tmp_path, WHAT_IT_IS)
    arguments = [*options, "program" if "-m" in options else str(file), "an", "argument"]
    seen = []
    for each in (str(python), sys.executable):
        ran = subprocess.run(
            [each, *arguments], cwd=tmp_path, env={"GIVEN": "it"}, capture_output=True, text=True, check=True
        )
        seen.append(json.loads(ran.stdout))
    forked, started = seen
    assert (forked.pop("pulumi"), started.pop("pulumi")) == (True, False)
    if {"-P", "-I"} & {*options}:  # the first folder is not the program's
        assert str(tmp_path) not in (forked.pop("path"), started.pop("path"))
    assert forked == started
    assert forked["parent"] == os.getpid()


@pytest.mark.parametrize(
    ("text", "status", "error"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('not found')", 1, "not found\n"),
        ("import os; os._exit(32)", 32, ""),
        ("raise SystemExit((1, 2))", 1, "(1, 2)\n"),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
        ("raise KeyboardInterrupt", -2, "KeyboardInterrupt\n"),
        ("import sys; print('\\udc80', file=sys.stderr)", 0, "\\udc80\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("", 0, ""),
    ],
)
def test_it_ends_as_python_does(python: Path, tmp_path: Path, text: str, status: int, error: str) -> None:
    for each in (python, sys.executable):
        ran = subprocess.run([each, a_program(tmp_path, text)], capture_output=True, text=True, check=False)
        assert ran.returncode == status, each
        assert ran.stderr.endswith(error), each


def test_no_program_sees_what_another_one_has_changed(python: Path, tmp_path: Path) -> None:
    file = a_program(
        tmp_path, "import os, pulumi; print(hasattr(pulumi, 'changed'), len(os.environ)); pulumi.changed = 1"
    )
    outputs = [
        subprocess.run([python, file], env={"A": str(n)}, capture_output=True, check=True).stdout for n in (1, 2)
    ]
    assert outputs == [b"False 1\n"] * 2


def test_the_order_of_sets_differs_between_processes_as_with_python(python: Path, tmp_path: Path) -> None:
    program = a_program(tmp_path, "print(hash('a'))")
    seeds = {subprocess.run([python, program], capture_output=True, check=True).stdout for _ in range(20)}
    assert len(seeds) == SERVERS


def test_no_interrupt_is_lost_while_a_process_starts(python: Path, tmp_path: Path) -> None:
    program = a_program(tmp_path, "import time; time.sleep(60)")
    for milliseconds in range(20):
        with subprocess.Popen([python, program], stderr=subprocess.DEVNULL) as process:
            time.sleep(milliseconds / 1000)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == -signal.SIGINT, f"after {milliseconds} ms"


def test_a_signal_reaches_the_program(python: Path, tmp_path: Path) -> None:
    with subprocess.Popen([python, a_program(tmp_path, WAITS)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait() == 7


def test_the_program_ends_when_its_process_is_killed(python: Path, tmp_path: Path) -> None:
    with subprocess.Popen([python, a_program(tmp_path, WAITS)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        fork = int(process.stdout.readline())
        assert is_running(fork)
        process.kill()
    wait_until(lambda: not is_running(fork), "the fork ends")


def test_the_server_survives_a_process_that_is_killed_before_its_request(python: Path, tmp_path: Path) -> None:
    for sent in (b"", (9).to_bytes(4, sys.byteorder) + b"half"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(python.parents[1] / "0"))
            connection.send(sent)
    program = a_program(tmp_path, "import pulumi")
    for _ in range(8):  # both servers have some of them
        assert subprocess.run([python, program], check=False).returncode == 0


def test_an_ignored_interrupt_stays_ignored(python: Path, tmp_path: Path) -> None:
    file = a_program(tmp_path, "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)")
    command = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", str(python), str(file)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


def test_what_the_server_does_not_know_is_left_to_python_itself(python: Path) -> None:
    ran = subprocess.run([python, "-c", "import sys; print('pulumi' in sys.modules)"], capture_output=True, check=True)
    assert ran.stdout == b"False\n"


def test_all_of_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    text = """
    import subprocess, sys, time
    from tests.forked_python import SERVERS, forked_python
    python = forked_python() / "bin" / "python"
    waiting = subprocess.Popen([python, sys.argv[1]])
    time.sleep(600)
    """
    waits = a_program(tmp_path, WAITS)
    command = [sys.executable, "-c", textwrap.dedent(text), str(waits)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        fork = int(tests.stdout.readline())
        tests.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_running(fork), "the fork ends")
