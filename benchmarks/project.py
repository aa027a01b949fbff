"""A Pulumi project with a stack and a backend of its own; measures what the engine's commands cost."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mig_fleet import toolchain

ROOT = Path(__file__).resolve().parents[1]
STACK = "bench"


@dataclass(frozen=True)
class Cost:
    """Of one command of the engine, with all its processes."""

    seconds: float
    """Wall clock."""
    processor_s: float
    """Processor time of all processes."""
    largest_process_mib: float
    """Resident memory of the largest process."""


class Project:
    """A folder with a program, which runs in this virtual environment."""

    def __init__(self, folder: Path, program: str, work: toolchain.Workspace, **settings: Any) -> None:
        self.folder, self._pulumi = folder, work.pulumi
        (folder / "state").mkdir(parents=True)
        (folder / "__main__.py").write_text(program)
        runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
        # Every JSON document is a YAML document.
        (folder / "Pulumi.yaml").write_text(json.dumps({"name": folder.name, "runtime": runtime, **settings}))
        backend = {"PULUMI_BACKEND_URL": (folder / "state").as_uri(), "PYTHONPATH": str(ROOT)}
        # Bytecode is kept between commands, as for an installed package, whatever the environment of this process says.
        bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode")}
        self._environment = {**work.environment(), **backend, **bytecode}
        self.run("stack", "init", "--secrets-provider", "passphrase")

    def run(self, *arguments: str) -> Cost:
        """Run a command of the engine; if it fails, the benchmark ends with the engine's output."""
        command = [str(self._pulumi), *arguments, "--stack", STACK, "--non-interactive", "--color", "never"]
        output = self.folder / "output.txt"
        started = time.perf_counter()
        with output.open("wb") as text:
            engine = subprocess.Popen(
                command, cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=text, stderr=text
            )
            # The only call that returns the resources of one child and of the children that it waited for.
            _, status, used = os.wait4(engine.pid, 0)
        engine.returncode = os.waitstatus_to_exitcode(status)
        if engine.returncode:
            sys.exit(f"pulumi {arguments[0]} of {self.folder.name} failed:\n{output.read_text()[-4000:]}")
        return Cost(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

    def state_bytes(self, kind: str) -> int:
        """The size of the state of the resources whose type contains ``kind``, without the white space of the file."""
        (path,) = (self.folder / "state" / ".pulumi" / "stacks").glob(f"*/{STACK}.json")
        resources = json.loads(path.read_text())["checkpoint"]["latest"]["resources"]
        return len(json.dumps([each for each in resources if kind in each["type"]], separators=(",", ":")))
