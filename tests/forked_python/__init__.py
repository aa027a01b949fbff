"""A Python that starts in a hundredth of a second, with the libraries of Pulumi, of Kubernetes and of this package.

A command of the engine starts six Python processes. Their imports took nearly half of the processor time of the tests
with an engine. What they do after that is the same: a server forks itself for each of them, and no fork sees what
another one has changed. docs/adr/0017-tests-fork-python.md has the limits, and the tests that start Python.
"""

import atexit
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from mig_fleet.simulator.compiled import program

HERE: Final = Path(__file__).parent
SERVERS: Final = 2
"""They differ in the seed of `hash`, on which the order of a set of texts depends."""
LONGEST: Final = 80
"""Characters of a folder: the path of a socket may have 107."""
TO_END_S: Final = 30
"""Seconds for a server to end its forks."""


@cache
def forked_python() -> Path:
    """A folder like that of a virtualenv: its `bin/python` stands in for this process's Python. It and its forks end
    with this process.
    """
    parent = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="forked-python-", dir=parent if len(parent) < LONGEST else "/tmp"))
    (folder / "python").symlink_to(sys.executable)
    for name in ("pyvenv.cfg", "lib"):  # for a Python that is started by way of a link to this folder
        (folder / name).symlink_to(Path(sys.prefix, name))
    program(folder, "python", [HERE / "python.c"]).rename(folder / "bin")
    command = [sys.executable, "-P", str(HERE / "server.py")]
    servers = [
        subprocess.Popen(
            [*command, str(folder / str(number))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(SERVERS)
    ]
    atexit.register(_end, servers)
    for server in servers:
        assert server.stdout is not None, "it was started with a pipe"
        assert server.stdout.readline() == "ready\n", "a server did not start; its error is in the output of the tests"
    return folder


def _end(servers: "list[subprocess.Popen[str]]") -> None:
    for server in servers:
        try:
            server.communicate(timeout=TO_END_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.communicate()
