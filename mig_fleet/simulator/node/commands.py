"""What can be run in a container by `kubectl exec`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from mig_fleet.simulator.node import parted_command
from mig_fleet.simulator.node.context import Context
from mig_fleet.simulator.node.parted_command import Finished

Program = Callable[[Context, Sequence[str]], Finished]

NOT_FOUND: Final = 127
"""As a shell has it."""

PROGRAMS: Final[Mapping[str, Mapping[str, Program]]] = {
    "nvidia-mig-manager": {"nvidia-mig-parted": parted_command.run},
}
"""Label ``app`` → the programs in that image; all other images have none."""


def run(context: Context, words: Sequence[str]) -> Finished:
    """Run a command line; the program may be named by its path."""
    name, *arguments = words or ("",)
    programs = PROGRAMS.get(context.pod.labels.get("app", ""), {})
    program = programs.get(PurePosixPath(name).name)
    if program is None:
        return Finished(NOT_FOUND, stderr=f"{name}: not found\n")
    return program(context, arguments)
