"""One command of the Pulumi CLI, as a user runs it in a folder."""

import subprocess
from collections.abc import Mapping
from pathlib import Path


def run_pulumi(pulumi: Path, *arguments: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What the command prints; fails if the command does."""
    done = subprocess.run(
        [pulumi, *arguments, "--non-interactive", "--color", "never"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
