"""The search for tools: explicit variable → PATH → cache → official download → build; first hit wins.

A place that does not serve leaves its reason, so that the table of ``mig-fleet toolchain`` can say why a tool comes
from where it comes. Only :func:`ensure` downloads or builds; :func:`look` only looks.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mig_fleet.toolchain import pins, versions
from mig_fleet.toolchain.build import Go
from mig_fleet.toolchain.cache import Shelf
from mig_fleet.toolchain.download import Downloads
from mig_fleet.toolchain.errors import BadOverride, CannotBuild, DownloadFailed, ToolsMissing
from mig_fleet.toolchain.pins import Family
from mig_fleet.toolchain.progress import Progress, Step, silent
from mig_fleet.toolchain.surroundings import Surroundings


class Place(StrEnum):
    """Where a tool was found."""

    ENVIRONMENT = "environment"
    PATH = "PATH"
    CACHE = "cache"
    DOWNLOAD = "download"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that is there, or is not (``path`` None, ``place`` None)."""

    name: str
    version: str
    path: Path | None
    place: Place | None
    note: str
    """The variable for ``environment``, how it got there for ``cache``; otherwise empty."""
    passed_over: tuple[str, ...]
    """Why the earlier places did not serve."""


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of a search, one entry per tool, in the order of ``pins.toml``."""

    tools: tuple[Tool, ...]

    @property
    def missing(self) -> tuple[Tool, ...]:
        return tuple(tool for tool in self.tools if tool.path is None)

    def path(self, name: str) -> Path:
        """Where a tool is. Raises ``KeyError`` for one that was not asked for, or not found."""
        for tool in self.tools:
            if tool.name == name and tool.path is not None:
                return tool.path
        raise KeyError(name)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools)


def look(families: Iterable[Family] | None = None, *, around: Surroundings | None = None) -> Found:
    """What is there already. Raises :class:`BadOverride`."""
    return _collect([_Search(family, around or Surroundings.here()) for family in _chosen(families)])


def ensure(
    families: Iterable[Family] | None = None, *, progress: Progress = silent, around: Surroundings | None = None
) -> Found:
    """Every tool of the families (default: what the product needs), downloaded or built where it must be.

    Raises :class:`BadOverride`, :class:`BuildFailed`, :class:`ToolsMissing`.
    """
    around = around or Surroundings.here()
    searches = [_Search(family, around) for family in _chosen(families)]
    wanting = [search for search in searches if search.wanting]
    if not wanting:
        return _collect(searches)
    network = Downloads(around.mirror)
    for place, search in enumerate(wanting):
        upcoming = tuple(f"{later.family.title} {later.family.version}" for later in wanting[place + 1 :])
        search.obtain(network, progress, upcoming)
    found = _collect(searches)
    if found.missing:
        raise ToolsMissing({tool.name: tool.passed_over for tool in found.missing}, pins.go_needed())
    return found


def _chosen(families: Iterable[Family] | None) -> tuple[Family, ...]:
    return pins.default() if families is None else tuple(families)


def _collect(searches: Iterable["_Search"]) -> Found:
    return Found(tuple(tool for search in searches for tool in search.tools()))


@dataclass
class _Search:
    """One family's way through the places."""

    family: Family
    around: Surroundings
    hits: dict[str, Tool] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.family, self.around.cache)
        for name in self.family.tools:
            self.reasons[name] = []
            any(place(name) for place in (self._explicit, self._envtest, self._on_path))
        if self.wanting and not self._cached(Place.CACHE):
            self._pass_over("not in the cache")

    @property
    def wanting(self) -> tuple[str, ...]:
        return tuple(name for name in self.family.tools if name not in self.hits)

    def tools(self) -> tuple[Tool, ...]:
        return tuple(
            self.hits.get(name) or Tool(name, self.family.version, None, None, "", tuple(self.reasons[name]))
            for name in self.family.tools
        )

    def _explicit(self, name: str) -> bool:
        """The user said which: taken whatever its version, refused aloud when it is no tool at all."""
        wish = self.around.override(name)
        if wish is None:
            return False
        variable, path = wish
        if not path.is_file():
            raise BadOverride(variable, path, "there is no such file")
        if not os.access(path, os.X_OK):
            raise BadOverride(variable, path, "the file is not executable")
        version = versions.ask(path, self.family.ask)
        if version is None:
            raise BadOverride(variable, path, f"it does not say its version as {name} does")
        return self._hit(name, version, path.resolve(), Place.ENVIRONMENT, variable)

    def _envtest(self, name: str) -> bool:
        return any(
            self._fitting(name, path, Place.ENVIRONMENT, variable) for variable, path in self.around.envtest(name)
        )

    def _on_path(self, name: str) -> bool:
        path = self.around.on_path(name)
        if path is None:
            self.reasons[name].append("not on PATH")
            return False
        return self._fitting(name, path, Place.PATH, "")

    def _fitting(self, name: str, path: Path, place: Place, variable: str) -> bool:
        where = variable or "PATH"
        if not os.access(path, os.X_OK) or not path.is_file():
            self.reasons[name].append(f"{where}: no executable {path}")
            return False
        version = versions.ask(path, self.family.ask)
        if version is None or not self.family.fits(version):
            says = f"is {versions.dotted(version)}" if version else "does not say its version"
            span = f"{versions.dotted(self.family.at_least)} or newer, below {versions.dotted(self.family.below)}"
            self.reasons[name].append(f"{where}: {path} {says}, needed is {span}")
            return False
        return self._hit(name, version, path, place, variable)

    def _hit(self, name: str, version: tuple[int, int, int], path: Path, place: Place, note: str) -> bool:
        self.hits[name] = Tool(name, versions.dotted(version), path, place, note, tuple(self.reasons[name]))
        return True

    def _cached(self, place: Place) -> bool:
        folder = self.shelf.holds()
        if folder is None:
            return False
        note = "" if place is not Place.CACHE else "built here" if folder == self.shelf.built else "downloaded"
        for name in self.wanting:
            path, why = folder / name, tuple(self.reasons[name])
            self.hits[name] = Tool(name, self.family.version, path, place, note, why)
        return True

    def _pass_over(self, reason: str) -> None:
        for name in self.wanting:
            self.reasons[name].append(reason)

    def obtain(self, network: Downloads, progress: Progress, upcoming: tuple[str, ...]) -> None:
        """Download or build, with nobody else doing the same; a place that fails leaves its reason."""

        def step(doing: str, minutes: float | None = None) -> Step:
            return Step(f"{self.family.title} {self.family.version}", doing, minutes, upcoming)

        minutes = self.family.recipe.minutes
        with self.shelf.alone(lambda pid: progress(step(f"waiting for process {pid}, which is getting", minutes))):
            if self._cached(Place.CACHE):  # the process we waited for has got it
                return
            if not self.around.may_download:
                self._pass_over("download is switched off")
            else:
                try:
                    with progress(step("downloading")), self.shelf.filling(self.shelf.downloaded) as folder:
                        network.get(self.family, folder)
                    self._cached(Place.DOWNLOAD)
                    return
                except DownloadFailed as failure:
                    self._pass_over(f"download: {failure}")
            try:
                go = Go.found(self.around)
            except CannotBuild as reason:
                self._pass_over(f"build: {reason}")
                return
            with progress(step("building", minutes)), self.shelf.filling(self.shelf.built) as folder:
                go.build(self.family, folder, self.shelf.log, self.around)
            self._cached(Place.BUILD)
