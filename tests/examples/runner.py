"""Runs the scripts of the examples as a job does, with stand-ins for commands."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / "examples" / "github-actions"
GITLAB = ROOT / "examples" / "gitlab"


@dataclass
class Runner:
    """A folder for a job's files. Stand-ins for commands come before everything else on PATH."""

    folder: Path
    checkout: Path
    """Where the scripts run."""
    environment: dict[str, str] = field(
        default_factory=lambda: {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"}
    )

    def stand_in(self, command: str, script: str) -> None:
        """Put a shell script on PATH."""
        path = self.folder / "bin" / command
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join((str(self.folder / "bin"), self.environment["PATH"]))
        return subprocess.run(
            [str(GITHUB / "ci" / script), *arguments],
            cwd=self.checkout,
            env={**self.environment, "PATH": path, "HOME": str(self.folder), **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@dataclass
class GitHub(Runner):
    """A runner with `gh`, and a GitHub of the repository `org/fleet`."""

    def __post_init__(self) -> None:
        self.environment |= {"FAKE_GH": str(self.folder / "github.json"), "GITHUB_REPOSITORY": "org/fleet"}
        self.state = {"calls": [], "comments": [], "issues": [], "pulls": {}, "artifacts": []}
        self.stand_in("gh", shlex.join([sys.executable, str(Path(__file__).with_name("fake_gh.py"))]) + ' "$@"')

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "github.json").read_text())
        return found

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        (self.folder / "github.json").write_text(json.dumps(state))
