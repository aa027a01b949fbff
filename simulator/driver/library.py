"""Compile the NVML library once per version of its source."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from simulator.errors import NoCompiler

SONAME: Final = "libnvidia-ml.so.1"
STATE_VARIABLE: Final = "MIG_SIMULATOR_DRIVER"
"""Names the driver state file to the library."""

SOURCES: Final = Path(__file__).parent / "nvml"
FLAGS: Final = ("-std=c11", "-D_DEFAULT_SOURCE", "-O1", "-fPIC", "-shared", f"-Wl,-soname,{SONAME}")
COMPILERS: Final = ("cc", "gcc", "clang")


def library(cache: Path) -> Path:
    """The folder that holds ``libnvidia-ml.so.1``, compiled when it is not there yet.

    Raises :class:`NoCompiler` when there is no C compiler, or when it fails.
    """
    sources = sorted(path for path in SOURCES.iterdir() if path.suffix in {".c", ".h"})
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + " ".join(FLAGS).encode()).hexdigest()
    folder = cache / f"nvml-{digest[:12]}"
    if (folder / SONAME).exists():
        return folder
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise NoCompiler(
            f"the simulated GPUs need a C compiler to build {SONAME}, and none of {', '.join(COMPILERS)} was found; "
            "on Debian and Ubuntu: apt-get install gcc libc6-dev"
        )
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{SONAME}.{os.getpid()}"
    command = [compiler, *FLAGS, "-o", str(draft), *(str(path) for path in sources if path.suffix == ".c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoCompiler(
            f"{compiler} could not build {SONAME}; on Debian and Ubuntu libc6-dev is needed too. It said:\n"
            f"{done.stderr.strip()}"
        )
    draft.replace(folder / SONAME)
    return folder
