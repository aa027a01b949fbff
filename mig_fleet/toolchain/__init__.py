"""Finds, downloads or builds the Pulumi engine, its Kubernetes provider and a control plane; knows nothing of GPUs.

    found = mig_fleet.toolchain.ensure()                       # every tool; downloads or builds missing ones
    work = mig_fleet.toolchain.workspace(project, found)       # <project>/.mig-fleet: binaries, plugins, state
    subprocess.run([work.pulumi, "preview"], env=work.environment())

`mig-fleet toolchain` shows the same as a table. ``pins.toml`` has the pinned versions and their sources.
"""

from mig_fleet.toolchain.background import in_background
from mig_fleet.toolchain.environment import Environment
from mig_fleet.toolchain.errors import (
    BadOverride,
    BuildFailed,
    CannotBuild,
    DownloadFailed,
    ToolchainError,
    ToolsMissing,
    UnknownFamily,
    UnsafeFolder,
)
from mig_fleet.toolchain.find import Place, SearchResult, Tool, ensure, locate
from mig_fleet.toolchain.pins import Family, default, family
from mig_fleet.toolchain.progress import Progress, Step, no_progress
from mig_fleet.toolchain.share import Share
from mig_fleet.toolchain.workspace import SIMULATED_STACK, Workspace, link_control_plane, workspace

__all__ = [
    "SIMULATED_STACK",
    "BadOverride",
    "BuildFailed",
    "CannotBuild",
    "DownloadFailed",
    "Environment",
    "Family",
    "Place",
    "Progress",
    "SearchResult",
    "Share",
    "Step",
    "Tool",
    "ToolchainError",
    "ToolsMissing",
    "UnknownFamily",
    "UnsafeFolder",
    "Workspace",
    "default",
    "ensure",
    "family",
    "in_background",
    "link_control_plane",
    "locate",
    "no_progress",
    "workspace",
]
