"""The Python that runs a program or a policy pack, and the packages that are installed there.

``runtime.options.virtualenv`` of Pulumi.yaml or PulumiPolicy.yaml, relative to the folder of that file;
without it the Python of this host.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format

from mig_fleet.language_host.protocol import language_pb2

_INSTALLED: Final = Path(__file__).with_name("installed.py")


class NoInterpreter(Exception):
    """The virtualenv that the project file names has no Python; the message has its path."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python and the virtualenv it belongs to, if the project file names one."""

    python: Path
    virtualenv: Path | None

    @classmethod
    def of(cls, info: language_pb2.ProgramInfo) -> "Interpreter":
        """Raises :class:`NoInterpreter`."""
        virtualenv = virtualenv_of(info)
        if virtualenv is None:
            return cls(Path(sys.executable), None)
        python = virtualenv / "bin" / "python"
        if not python.exists():
            raise NoInterpreter(
                f"runtime.options.virtualenv names {virtualenv}, which has no bin/python; "
                "create it with `pulumi install` or `python3 -m venv`"
            )
        return cls(python, virtualenv)

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """The environment of an activated virtualenv: its tools are first on PATH, PYTHONHOME is unset."""
        env = {name: value for name, value in base.items() if name != "PYTHONHOME"}
        if self.virtualenv is not None:
            env["VIRTUAL_ENV"] = str(self.virtualenv)
            env["PATH"] = f"{self.virtualenv / 'bin'}:{env.get('PATH', '')}"
        return env

    def installed(self, what: str) -> Any:
        """What ``installed.py`` prints for ``what``: ``plugins``, ``distributions`` or ``python``."""
        answer = subprocess.run([self.python, "-I", _INSTALLED, what], capture_output=True, text=True, check=True)
        return json.loads(answer.stdout)


def virtualenv_of(info: language_pb2.ProgramInfo) -> Path | None:
    """The absolute path of the virtualenv that the project file names; it may not exist."""
    name = json_format.MessageToDict(info.options).get("virtualenv")
    return Path(info.root_directory, str(name)) if name else None
