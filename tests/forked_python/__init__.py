"""A Python that starts in a hundredth of a second, with the libraries of Pulumi, of Kubernetes and of this package.

A command of the engine starts four Python processes. Their imports took nearly half of the processor time of the tests
with an engine. What they do after that is the same: the server forks itself for each of them, and no fork knows of
another one. Tests of what a start itself does, in `tests/packaging`, `tests/language_host` and `tests/plugin`, start
Python.
"""

import atexit
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from mig_fleet.simulator.compiled import program

HERE: Final = Path(__file__).parent


@cache
def forked_python() -> Path:
    """A folder like that of a virtualenv: its `bin/python` stands in for this process's Python. It, and all that it
    runs, ends with this process.
    """
    folder = Path(tempfile.mkdtemp(prefix="forked-python-", dir="/tmp"))  # a socket needs a short path
    (folder / "python").symlink_to(sys.executable)
    for name in ("pyvenv.cfg", "lib"):  # for a Python that is started by way of a link to this folder
        (folder / name).symlink_to(Path(sys.prefix, name))
    program(folder, "python", [HERE / "python.c"]).rename(folder / "bin")
    server = subprocess.Popen(
        [sys.executable, "-P", HERE / "server.py", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(_end, server, folder)
    assert server.stdout is not None, "it was started with a pipe"
    assert server.stdout.readline() == "ready\n", "the server did not start; its error is in the output of the tests"
    return folder


def _end(server: "subprocess.Popen[str]", folder: Path) -> None:
    server.communicate()
    shutil.rmtree(folder, ignore_errors=True)
