"""The errors of the toolchain. Each message has the remedy.

ToolchainError
├── UnknownFamily    a family name that pins.toml does not have
├── BadOverride      one of our environment variables names a file that cannot be run
├── DownloadFailed   the publisher does not answer, returns an error, or sends a file that does not match its checksum
├── CannotBuild      no Go, or one that is too old
├── UnsafeFolder     a folder of ours is a symbolic link, or belongs to another user
├── BuildFailed      Go failed; has its last lines and the path of the log
└── ToolsMissing     no place has the tools; lists every place and the two ways to get them
"""

import difflib
from collections.abc import Collection
from pathlib import Path

from mig_fleet.confidential import masked


class ToolchainError(Exception):
    """A message for the user, to be printed without a traceback."""


class UnknownFamily(ToolchainError):
    """There is no family of tools with this name."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        # Not mig_fleet.model.suggestions: the toolchain runs before anything else and imports nothing of this package.
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        super().__init__(f"unknown tool family '{name}'; {hint}families: {', '.join(known)}")


class BadOverride(ToolchainError):
    """The file that a user named for a tool cannot be used; another file is not used instead."""

    def __init__(self, variable: str, path: Path, problem: str) -> None:
        super().__init__(f"{variable}={path}: {problem}; name an executable file, or unset it")


class DownloadFailed(ToolchainError):
    """The reason in a few words, without a mirror's password; the search continues with a build."""

    def __init__(self, reason: str) -> None:
        super().__init__(masked(reason))


class CannotBuild(ToolchainError):
    """There is no suitable Go; the message names the one that was found."""


class UnsafeFolder(ToolchainError):
    """A folder whose programs must not be run, because another user may have put them there."""

    def __init__(self, folder: Path, problem: str) -> None:
        super().__init__(f"{folder} {problem}; move it away, or set XDG_CACHE_HOME to another folder for the cache")


class BuildFailed(ToolchainError):
    """``go build`` ended with an error."""

    def __init__(self, what: str, last_lines: str, log: Path) -> None:
        self.log = log
        super().__init__(f"building {what} failed; Go's last lines:\n{masked(last_lines)}\nThe whole log: {log}")


class ToolsMissing(ToolchainError):
    """``why`` maps each missing tool to the reasons, one for each place."""

    def __init__(self, why: dict[str, tuple[str, ...]], go: str) -> None:
        self.why = why
        tried = "\n".join(f"  {tool}: {'; '.join(reasons)}" for tool, reasons in why.items())
        super().__init__(
            f"{len(why)} tool(s) are missing:\n{tried}\n"
            "Two ways to get them:\n"
            "  1. Download: run `mig-fleet toolchain` on a machine that reaches github.com and dl.k8s.io\n"
            "     (or set MIG_FLEET_MIRROR=URL to a mirror with URL/github.com/... and URL/dl.k8s.io/...).\n"
            f"  2. Build: install Go {go} or newer (https://go.dev/dl), then run `mig-fleet toolchain`. It builds\n"
            "     them from the Go module proxy, about 6 minutes on two cores, once.\n"
            "To use a tool that this machine has, set its variable, for example MIG_FLEET_PULUMI=/path/to/pulumi."
        )
