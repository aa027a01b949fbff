"""The search for tools: variable → PATH → cache → official download → build; the first place that has the tool wins.

For each place before that, the reason why it was skipped is kept for the table of ``mig-fleet toolchain``. Only
:func:`ensure` downloads or builds; :func:`locate` changes nothing.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mig_fleet.toolchain import pins, versions
from mig_fleet.toolchain.build import Go
from mig_fleet.toolchain.cache import CacheEntry
from mig_fleet.toolchain.download import Downloads
from mig_fleet.toolchain.environment import Environment
from mig_fleet.toolchain.errors import BadOverride, CannotBuild, DownloadFailed, ToolsMissing
from mig_fleet.toolchain.pins import Family
from mig_fleet.toolchain.progress import Progress, Step, no_progress


class Place(StrEnum):
    """Where a tool was found."""

    ENVIRONMENT = "environment"
    PATH = "PATH"
    CACHE = "cache"
    DOWNLOAD = "download"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that was found, or is missing (``path`` None, ``place`` None)."""

    name: str
    version: str
    path: Path | None
    place: Place | None
    note: str
    """The variable for ``environment``; ``built here`` or ``downloaded`` for ``cache``; otherwise empty."""
    skipped: tuple[str, ...]
    """Why each earlier place was skipped."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One entry per tool, in the order of ``pins.toml``."""

    tools: tuple[Tool, ...]

    @property
    def missing(self) -> tuple[Tool, ...]:
        return tuple(tool for tool in self.tools if tool.path is None)

    def path(self, name: str) -> Path:
        """The file of a tool. Raises ``KeyError`` if it was not searched for, or not found."""
        for tool in self.tools:
            if tool.name == name and tool.path is not None:
                return tool.path
        raise KeyError(name)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools)


def locate(families: Iterable[Family] | None = None, *, environment: Environment | None = None) -> SearchResult:
    """The tools that this machine already has. Raises :class:`BadOverride`."""
    return _collect([_Search(family, environment or Environment.current()) for family in _chosen(families)])


def ensure(
    families: Iterable[Family] | None = None,
    *,
    progress: Progress = no_progress,
    environment: Environment | None = None,
) -> SearchResult:
    """Every tool of the families (default: those that the product needs); downloads or builds the missing ones.

    Raises :class:`BadOverride`, :class:`BuildFailed`, :class:`ToolsMissing`.
    """
    environment = environment or Environment.current()
    searches = [_Search(family, environment) for family in _chosen(families)]
    incomplete = [search for search in searches if search.missing]
    if not incomplete:
        return _collect(searches)
    network = Downloads(environment.mirror)
    for number, search in enumerate(incomplete, start=1):
        search.obtain(network, progress, [later.family for later in incomplete[number:]])
    found = _collect(searches)
    if found.missing:
        raise ToolsMissing({tool.name: tool.skipped for tool in found.missing}, pins.go_needed())
    return found


def _chosen(families: Iterable[Family] | None) -> tuple[Family, ...]:
    return pins.default() if families is None else tuple(families)


def _collect(searches: Iterable["_Search"]) -> SearchResult:
    return SearchResult(tuple(tool for search in searches for tool in search.tools()))


@dataclass
class _Search:
    """The search for one family's tools, place by place."""

    family: Family
    environment: Environment
    hits: dict[str, Tool] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entry = CacheEntry(self.family, self.environment.cache)
        for name in self.family.tools:
            self.reasons[name] = []
            any(place(name) for place in (self._explicit, self._envtest, self._on_path))
        if self.missing and not self._cached(Place.CACHE):
            self._skip("not in the cache")

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(name for name in self.family.tools if name not in self.hits)

    def tools(self) -> tuple[Tool, ...]:
        return tuple(
            self.hits.get(name) or Tool(name, self.family.version, None, None, "", tuple(self.reasons[name]))
            for name in self.family.tools
        )

    def _explicit(self, name: str) -> bool:
        """The file that the user named, whatever its version. Raises :class:`BadOverride` if it is not this tool."""
        named = self.environment.override(name)
        if named is None:
            return False
        variable, path = named
        if not path.is_file():
            raise BadOverride(variable, path, "there is no such file")
        if not os.access(path, os.X_OK):
            raise BadOverride(variable, path, "the file is not executable")
        version = versions.reported(path, self.family.version_command)
        if version is None:
            raise BadOverride(variable, path, f"it does not print its version as {name} does")
        return self._hit(name, version, path.resolve(), Place.ENVIRONMENT, variable)

    def _envtest(self, name: str) -> bool:
        return any(
            self._if_supported(name, path, Place.ENVIRONMENT, variable)
            for variable, path in self.environment.envtest(name)
        )

    def _on_path(self, name: str) -> bool:
        path = self.environment.on_path(name)
        if path is None:
            self.reasons[name].append("not on PATH")
            return False
        return self._if_supported(name, path, Place.PATH, "")

    def _if_supported(self, name: str, path: Path, place: Place, variable: str) -> bool:
        where = variable or "PATH"
        if not os.access(path, os.X_OK) or not path.is_file():
            self.reasons[name].append(f"{where}: no executable {path}")
            return False
        version = versions.reported(path, self.family.version_command)
        if version is None or not self.family.fits(version):
            actual = f"is {versions.dotted(version)}" if version else "does not print its version"
            span = f"{versions.dotted(self.family.at_least)} or newer, below {versions.dotted(self.family.below)}"
            self.reasons[name].append(f"{where}: {path} {actual}, required is {span}")
            return False
        return self._hit(name, version, path, place, variable)

    def _hit(self, name: str, version: tuple[int, int, int], path: Path, place: Place, note: str) -> bool:
        self.hits[name] = Tool(name, versions.dotted(version), path, place, note, tuple(self.reasons[name]))
        return True

    def _cached(self, place: Place) -> bool:
        folder = self.entry.complete()
        if folder is None:
            return False
        note = "" if place is not Place.CACHE else "built here" if folder == self.entry.built else "downloaded"
        for name in self.missing:
            path, why = folder / name, tuple(self.reasons[name])
            self.hits[name] = Tool(name, self.family.version, path, place, note, why)
        return True

    def _skip(self, reason: str) -> None:
        for name in self.missing:
            self.reasons[name].append(reason)

    def obtain(self, network: Downloads, progress: Progress, later: Sequence[Family]) -> None:
        """Downloads or builds the tools while no other process does; keeps the reason of a place that fails.

        ``later`` are the families that follow. While Go compiles this one, it downloads the sources of those.
        """
        upcoming = tuple(f"{family.title} {family.version}" for family in later)

        def step(doing: str, minutes: float | None = None) -> Step:
            log = self.entry.log if minutes else None
            return Step(f"{self.family.title} {self.family.version}", doing, minutes, upcoming, log)

        minutes = self.family.recipe.minutes
        with self.entry.lock(lambda pid: progress(step(f"waiting for process {pid}, which installs", minutes))):
            if self._cached(Place.CACHE):  # the other process has installed them
                return
            self.entry.log.unlink(missing_ok=True)  # of an earlier build, which failed or ended early
            if not self.environment.may_download:
                self._skip("downloads are disabled")
            else:
                try:
                    with progress(step("downloading")), self.entry.fill(self.entry.downloaded) as folder:
                        network.get(self.family, folder)
                    self._cached(Place.DOWNLOAD)
                    return
                except DownloadFailed as failure:
                    self._skip(f"download: {failure}")
            try:
                go = Go.require(self.environment)
            except CannotBuild as reason:
                self._skip(f"build: {reason}")
                return
            ahead = go.read_ahead(later, self.environment)
            with progress(step("building", minutes)), ahead, self.entry.fill(self.entry.built) as folder:
                go.build(self.family, folder, self.entry.log, self.environment)
            self._cached(Place.BUILD)
