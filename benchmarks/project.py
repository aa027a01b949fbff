"""A Pulumi project with a stack and a backend of its own, and what the engine's commands on it cost."""

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
    """What one command of the engine took, in all its processes."""

    seconds: float
    processor_s: float
    largest_process_mib: float


class Project:
    """A folder with a program; it runs in this environment."""

    def __init__(self, folder: Path, program: str, work: toolchain.Workspace, **settings: Any) -> None:
        self.folder, self._pulumi = folder, work.pulumi
        (folder / "state").mkdir(parents=True)
        (folder / "__main__.py").write_text(program)
        runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
        # What is JSON is YAML.
        (folder / "Pulumi.yaml").write_text(json.dumps({"name": folder.name, "runtime": runtime, **settings}))
        backend = {"PULUMI_BACKEND_URL": (folder / "state").as_uri(), "PYTHONPATH": str(ROOT)}
        # Bytecode is kept between commands, as it is for an installed package, whatever this process was told.
        bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode")}
        self._environment = {**work.environment(), **backend, **bytecode}
        self.run("stack", "init", "--secrets-provider", "passphrase")

    def run(self, *arguments: str) -> Cost:
        """Ends the benchmark with the engine's words when it fails."""
        command = [self._pulumi, *arguments, "--stack", STACK, "--non-interactive", "--color", "never"]
        said = self.folder / "said.txt"
        started = time.perf_counter()
        with said.open("wb") as text:
            engine = subprocess.Popen(
                command, cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=text, stderr=text
            )
            # The only call that tells what one child used, and those it waited for.
            _, status, used = os.wait4(engine.pid, 0)
        engine.returncode = os.waitstatus_to_exitcode(status)
        if engine.returncode:
            sys.exit(f"pulumi {arguments[0]} of {self.folder.name} failed:\n{said.read_text()[-4000:]}")
        return Cost(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

    def resources(self, of: str) -> int:
        """How many of them have this in their type."""
        return len(self._state(of))

    def state_bytes(self, of: str) -> int:
        """The state of such resources, without the white space that only files have."""
        return len(json.dumps(self._state(of), separators=(",", ":")))

    def _state(self, of: str) -> list[Any]:
        (path,) = (self.folder / "state" / ".pulumi" / "stacks").glob(f"*/{STACK}.json")
        resources = json.loads(path.read_text())["checkpoint"]["latest"]["resources"]
        return [each for each in resources if of in each["type"]]
