"""What is to be said about a stack file or a mig-parted file, whichever it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mig_fleet.cli.config_map import files_of
from mig_fleet.documents import Document, DocumentError
from mig_fleet.model import parted
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.model.parted.lint import ADVICE, Trap, lint
from mig_fleet.stack_file import fleet, problems


class Level(StrEnum):
    """How bad a finding is; advice alone leaves a file sound."""

    WRONG = "wrong"
    UNPROVEN = "unproven"
    UNREADABLE = "unreadable"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding at its place, ``file.yaml:12``."""

    level: Level
    place: str
    text: str

    def plain(self) -> dict[str, str]:
        return {"level": str(self.level), "place": self.place, "text": self.text}


def judge(document: Document, gpus_per_node: int | None = None) -> list[Judged]:
    """Every finding, empty when the file is sound. Raises DocumentError for a file that is neither kind."""
    data = document.data
    if isinstance(data, Mapping) and "config" in data and "mig-configs" not in data:
        return _overlooked(document) + _stack(document)
    inner = files_of(document)
    if inner is not None:
        return _overlooked(document) + [finding for file in inner for finding in _file(file, gpus_per_node)]
    return _file(document, gpus_per_node)


def _overlooked(document: Document) -> list[Judged]:
    return [Judged(Level.WRONG, error.place, error.why) for error in document.overlooked]


def _file(document: Document, gpus_per_node: int | None) -> list[Judged]:
    data = document.data
    if data is None or (isinstance(data, Mapping) and ({"version", "mig-configs"} & set(data))):
        return _overlooked(document) + _parted(document, gpus_per_node)
    raise DocumentError(document.name, "is neither a stack file (config:) nor a mig-parted file (version, mig-configs)")


def _stack(document: Document) -> list[Judged]:
    try:
        fleet.from_document(document)
    except problems.InvalidSettings as exc:
        return [
            Judged(Level.UNPROVEN if problem.unproven else Level.WRONG, _place(document, problem.path), str(problem))
            for problem in exc.problems
        ]
    return []


def _place(document: Document, path: str) -> str:
    """A stack file writes ``pools.inference`` under ``config.mig-fleet:pools.inference``."""
    return document.at(f"config.mig-fleet:{path}") if path else document.name


def _parted(document: Document, gpus_per_node: int | None) -> list[Judged]:
    try:
        file = parted.read(document.data)
    except InvalidPartedFile as exc:
        return [Judged(Level.WRONG, document.at(exc.path), f"mig-parted refuses it: {exc}")]
    found = lint(file, gpus_per_node)
    unfiltered = [finding for finding in found if finding.trap is Trap.MIXED]
    told = [
        Judged(_level(finding.trap), document.at(finding.path), f"{finding.path}: {finding.text} ({finding.trap})")
        for finding in found
        if finding.trap is not Trap.MIXED or finding is unfiltered[0]
    ]
    if len(unfiltered) > 1:
        others = f"{len(unfiltered) - 1} other entries have no device-filter either"
        told.append(Judged(Level.ADVICE, document.at(unfiltered[1].path), others))
    return told


def _level(trap: Trap) -> Level:
    if trap in ADVICE:
        return Level.ADVICE
    return Level.UNPROVEN if trap is Trap.UNPROVEN else Level.WRONG
