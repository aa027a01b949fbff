"""What the environment says about the toolchain; the only reader of its variables.

=========================  ==========================================================================
MIG_FLEET_<TOOL>           this file and no other, ``MIG_FLEET_KUBE_APISERVER`` for ``kube-apiserver``
TEST_ASSET_<TOOL>          envtest's name for the same, taken when the version fits
KUBEBUILDER_ASSETS         envtest's folder of binaries, taken when the version fits
MIG_FLEET_DOWNLOAD=off     never download
MIG_FLEET_MIRROR           a URL that stands in front of every download: ``<mirror>/github.com/...``
MIG_FLEET_GO               the ``go`` to build with instead of the one on PATH
XDG_CACHE_HOME             where the cache lies, ``~/.cache`` when unset
=========================  ==========================================================================
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_NO = {"off", "0", "no", "false", "never"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A snapshot of the variables, so that a search is decided by values and a test needs no real environment."""

    variables: Mapping[str, str]

    @classmethod
    def here(cls) -> "Surroundings":
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
        """The explicit wish for a tool: the variable and the file it names."""
        variable = override_variable(tool)
        value = self.variables.get(variable)
        return (variable, Path(value).expanduser()) if value else None

    def envtest(self, tool: str) -> Iterator[tuple[str, Path]]:
        """Files that envtest's variables offer for a tool, existing or not."""
        variable = "TEST_ASSET_" + _shouted(tool)
        if value := self.variables.get(variable):
            yield variable, Path(value)
        if folder := self.variables.get("KUBEBUILDER_ASSETS"):
            yield "KUBEBUILDER_ASSETS", Path(folder) / tool

    def on_path(self, command: str) -> Path | None:
        found = shutil.which(command, path=self.variables.get("PATH", ""))
        return Path(found).resolve() if found else None

    @property
    def go(self) -> Path | None:
        wish = self.variables.get("MIG_FLEET_GO")
        return Path(wish) if wish else self.on_path("go")


def override_variable(tool: str) -> str:
    """>>> override_variable("kube-apiserver")
    'MIG_FLEET_KUBE_APISERVER'
    """
    return "MIG_FLEET_" + _shouted(tool)


def _shouted(tool: str) -> str:
    return tool.upper().replace("-", "_")
