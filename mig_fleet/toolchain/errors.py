"""What can go wrong on the way to a tool, each error with the way out.

ToolchainError
├── UnknownFamily    a family name that pins.toml does not have
├── BadOverride      an environment variable of ours names something that cannot be run
├── DownloadFailed   the publisher cannot be reached, answers no, or sends something else than it announced
├── CannotBuild      no Go, or one that is too old
├── BuildFailed      Go said no; carries its last lines and the log
└── ToolsMissing     nothing served; says every place that was tried and the two ways to get the tools
"""

import difflib
from collections.abc import Collection
from pathlib import Path


class ToolchainError(Exception):
    """Something about the tools that a person has to know; the message stands alone, without a traceback."""


class UnknownFamily(ToolchainError):
    """A name that is no family of tools."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        super().__init__(f"unknown tool family '{name}'; {hint}(there are {', '.join(known)})")


class BadOverride(ToolchainError):
    """An explicit wish that cannot be fulfilled: better to say so than to take another file silently."""

    def __init__(self, variable: str, path: Path, problem: str) -> None:
        super().__init__(f"{variable}={path}: {problem}; let it name an executable file, or unset it")


class DownloadFailed(ToolchainError):
    """Carries the reason in a few words; the finder moves on to the build."""


class CannotBuild(ToolchainError):
    """There is no Go that could build; the message says what was found."""


class BuildFailed(ToolchainError):
    """``go build`` ended with an error."""

    def __init__(self, what: str, last_lines: str, log: Path) -> None:
        self.log = log
        super().__init__(f"building {what} failed; Go's last lines:\n{last_lines}\nThe whole log: {log}")


class ToolsMissing(ToolchainError):
    """No place served; ``why`` maps each missing tool to what was tried."""

    def __init__(self, why: dict[str, tuple[str, ...]], go: str) -> None:
        self.why = why
        tried = "\n".join(f"  {tool}: {'; '.join(reasons)}" for tool, reasons in why.items())
        super().__init__(
            f"{len(why)} tool(s) are missing:\n{tried}\n"
            "Two ways to get them:\n"
            "  1. let them be downloaded: `mig-fleet toolchain` where github.com and dl.k8s.io can be reached\n"
            "     (MIG_FLEET_MIRROR=URL takes them from a mirror laid out as URL/github.com/..., URL/dl.k8s.io/...);\n"
            f"  2. let them be built: install Go {go} or newer (https://go.dev/dl), then `mig-fleet toolchain` builds\n"
            "     them from the Go module proxy, about 21 minutes once on two cores.\n"
            "A tool that is on this machine already can be named: MIG_FLEET_PULUMI=/path/to/pulumi, and so for each."
        )
