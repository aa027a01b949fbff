"""The environment variables of the toolchain. Only this module reads them.

=========================  ==========================================================================
MIG_FLEET_<TOOL>           use this file; ``MIG_FLEET_KUBE_APISERVER`` for ``kube-apiserver``
TEST_ASSET_<TOOL>          the same variable of envtest; used if the version is supported
KUBEBUILDER_ASSETS         envtest's folder of binaries; used if the version is supported
MIG_FLEET_DOWNLOAD=off     never download
MIG_FLEET_MIRROR           the URL of a mirror for all downloads: ``<mirror>/github.com/...``
MIG_FLEET_GO               the ``go`` command for builds, instead of the one on PATH
XDG_CACHE_HOME             the parent folder of the cache, ``~/.cache`` by default
=========================  ==========================================================================
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_NO = {"off", "0", "no", "false", "never"}


@dataclass(frozen=True, slots=True)
class Environment:
    """A copy of the variables, so that a test needs no real environment."""

    variables: Mapping[str, str]

    @classmethod
    def current(cls) -> "Environment":
        return cls(dict(os.environ))

    @property
    def cache(self) -> Path:
        base = self.variables.get("XDG_CACHE_HOME") or Path(self.variables.get("HOME") or Path.home()) / ".cache"
        return Path(base) / "mig-fleet"

    @property
    def may_download(self) -> bool:
        return self.variables.get("MIG_FLEET_DOWNLOAD", "").lower() not in _NO

    @property
    def mirror(self) -> str | None:
        return self.variables.get("MIG_FLEET_MIRROR") or None

    def override(self, tool: str) -> tuple[str, Path] | None:
        """The file that the user named for a tool, with the variable; None if there is no variable."""
        variable = override_variable(tool)
        value = self.variables.get(variable)
        return (variable, Path(value).expanduser()) if value else None

    def envtest(self, tool: str) -> Iterator[tuple[str, Path]]:
        """The files that envtest's variables name for a tool, with the variable; a file may not exist."""
        variable = "TEST_ASSET_" + _suffix(tool)
        if value := self.variables.get(variable):
            yield variable, Path(value)
        if folder := self.variables.get("KUBEBUILDER_ASSETS"):
            yield "KUBEBUILDER_ASSETS", Path(folder) / tool

    def on_path(self, command: str) -> Path | None:
        found = shutil.which(command, path=self.variables.get("PATH", ""))
        return Path(found).resolve() if found else None

    @property
    def go(self) -> Path | None:
        named = self.variables.get("MIG_FLEET_GO")
        return Path(named) if named else self.on_path("go")


def override_variable(tool: str) -> str:
    """>>> override_variable("kube-apiserver")
    'MIG_FLEET_KUBE_APISERVER'
    """
    return "MIG_FLEET_" + _suffix(tool)


def _suffix(tool: str) -> str:
    return tool.upper().replace("-", "_")
