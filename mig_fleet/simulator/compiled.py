"""The simulator's small C libraries and programs, compiled once per version of their source."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mig_fleet.simulator.errors import NoCompiler

FLAGS: Final = ("-std=c11", "-D_DEFAULT_SOURCE", "-O1")
COMPILERS: Final = ("cc", "gcc", "clang")


def shared_library(cache: Path, name: str, sources: Sequence[Path]) -> Path:
    """The folder below ``cache`` with the library ``name``, compiled when it does not exist yet.

    Headers in ``sources`` are part of the version. Raises :class:`NoCompiler` when there is no C compiler or it fails.
    """
    return _compiled(cache, name, sources, (*FLAGS, "-fPIC", "-shared", f"-Wl,-soname,{name}"))


def program(cache: Path, name: str, sources: Sequence[Path]) -> Path:
    """The folder with the program ``name``, as :func:`shared_library` has it for a library."""
    return _compiled(cache, name, sources, FLAGS)


def _compiled(cache: Path, name: str, sources: Sequence[Path], flags: Sequence[str]) -> Path:
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + " ".join(flags).encode()).hexdigest()
    folder = cache / f"{name.partition('.')[0]}-{digest[:12]}"
    if (folder / name).exists():
        return folder
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise NoCompiler(
            f"the simulator needs a C compiler to build {name}, and none of {', '.join(COMPILERS)} is on PATH; "
            "on Debian and Ubuntu: apt-get install gcc libc6-dev"
        )
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{name}.{os.getpid()}"
    command = [compiler, *flags, "-o", str(draft), *(str(path) for path in sources if path.suffix == ".c")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise NoCompiler(
            f"{compiler} could not build {name}; on Debian and Ubuntu it also needs libc6-dev. Its output:\n"
            f"{result.stderr.strip()}"
        )
    draft.replace(folder / name)
    return folder
