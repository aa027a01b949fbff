"""How a machine gets the engine, the provider and the control plane; it knows nothing of GPUs.

    found = mig_fleet.toolchain.ensure()                       # every tool, downloaded or built where it must be
    work = mig_fleet.toolchain.workspace(project, found)       # <project>/.mig-fleet: binaries, plugins, state
    subprocess.run([work.pulumi, "preview"], env=work.environment())

`mig-fleet toolchain` shows the same as a table. What is pinned, and from where it comes, stands in ``pins.toml``.
"""

from mig_fleet.toolchain.errors import (
    BadOverride,
    BuildFailed,
    CannotBuild,
    DownloadFailed,
    ToolchainError,
    ToolsMissing,
    UnknownFamily,
)
from mig_fleet.toolchain.find import Found, Place, Tool, ensure, look
from mig_fleet.toolchain.pins import Family, default, family
from mig_fleet.toolchain.progress import Progress, Step, silent
from mig_fleet.toolchain.surroundings import Surroundings
from mig_fleet.toolchain.workspace import Workspace, workspace

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
