"""The programs that `kubectl exec` can run in a container."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.operands import parted_command
from mig_fleet.simulator.operands.parted_command import Finished

Program = Callable[[Container, Sequence[str]], Finished]

NOT_FOUND: Final = 127
"""Exit status of a shell for an unknown command."""

PROGRAMS: Final[Mapping[str, Mapping[str, Program]]] = {
    "nvidia-mig-manager": {"nvidia-mig-parted": parted_command.run},
}
"""Label ``app`` of a pod → the programs in its image; other images have no programs."""


def run(container: Container, words: Sequence[str]) -> Finished:
    """Run a command line; its first word is the program's name or path."""
    name, *arguments = words or ("",)
    programs = PROGRAMS.get(container.pod.labels.get("app", ""), {})
    program = programs.get(PurePosixPath(name).name)
    if program is None:
        return Finished(NOT_FOUND, stderr=f"{name}: not found\n")
    return program(container, arguments)
