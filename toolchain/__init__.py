"""How a machine gets the engine, the provider and the control plane; it knows nothing of GPUs.

    found = toolchain.ensure()                       # every tool, downloaded or built where it must be
    work = toolchain.workspace(project, found)       # <project>/.mig-fleet: binaries, plugins, state
    subprocess.run([work.pulumi, "preview"], env=work.environment())

`mig-fleet toolchain` shows the same as a table. What is pinned, and from where it comes, stands in ``pins.toml``.
"""

from toolchain.errors import (
    BadOverride,
    BuildFailed,
    CannotBuild,
    DownloadFailed,
    ToolchainError,
    ToolsMissing,
    UnknownFamily,
)
from toolchain.find import Found, Place, Tool, ensure, look
from toolchain.pins import Family, default, family
from toolchain.progress import Progress, Step, silent
from toolchain.surroundings import Surroundings
from toolchain.workspace import Workspace, workspace

__all__ = [
    "BadOverride",
    "BuildFailed",
    "CannotBuild",
    "DownloadFailed",
    "Family",
    "Found",
    "Place",
    "Progress",
    "Step",
    "Surroundings",
    "Tool",
    "ToolchainError",
    "ToolsMissing",
    "UnknownFamily",
    "Workspace",
    "default",
    "ensure",
    "family",
    "look",
    "silent",
    "workspace",
]
