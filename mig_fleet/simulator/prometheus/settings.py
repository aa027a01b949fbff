"""What a user asks of the fleet's Prometheus, and what the daemon answers: files in the fleet's folder."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from mig_fleet.simulator.files import write_private

FOLDER: Final = "prometheus"
"""Its folder in the fleet's folder: settings, rules, configuration, log and data."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How Prometheus runs. The rules are all files ``rules/*.yaml`` in its folder."""

    program: str
    """The path of the program ``prometheus``."""
    interval_s: int = 5
    """Of scrapes and of rules."""
    database: str = "data"
    """The name of the folder with its series. Prometheus starts with those that it has from before."""
    label_allowlist: str = ""
    annotation_allowlist: str = ""
    """The values of kube-state-metrics' flags; without them it exports no labels and no annotations."""

    def write(self, folder: Path) -> None:
        write_private(folder / "settings.json", json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """None if no Prometheus must run."""
        file = folder / "settings.json"
        return cls(**json.loads(file.read_text())) if file.exists() else None

    @staticmethod
    def remove(folder: Path) -> None:
        (folder / "settings.json").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the settings are in effect."""

    url: str = ""
    """Empty if Prometheus is stopped."""
    error: str = ""
    """Why they are not."""

    def write(self, folder: Path) -> None:
        write_private(folder / "answer.json", json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """None while the daemon has not answered."""
        file = folder / "answer.json"
        return cls(**json.loads(file.read_text())) if file.exists() else None

    @staticmethod
    def remove(folder: Path) -> None:
        (folder / "answer.json").unlink(missing_ok=True)
