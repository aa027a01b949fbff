"""The stack file that `plan --against` names: a file, a stack of the project, or a git revision of the same file."""

import os
import subprocess
from pathlib import Path

from mig_fleet.cli.stack_files import path_of, stacks_here
from mig_fleet.documents import parse
from mig_fleet.foreign_text import printable
from mig_fleet.stack_file.fleet import Fleet, from_content, from_file


class UnknownSource(ValueError):
    """There is no such file, stack or revision, or the revision does not have the stack file."""


def read_against(name: str, path: Path) -> tuple[str, Fleet]:
    """What was read, and its fleet; a file comes before a stack, and a stack before a revision (``refs/heads/NAME``).

    ``path`` is the stack file that a revision is read for. Raises :class:`UnknownSource`, ``InvalidSettings``,
    ``DocumentError``.
    """
    for file in (Path(name), path_of(name)):
        if os.path.isfile(file):  # noqa: PTH113  Path.is_file raises for a name that is too long
            return str(file), from_file(file)
    revision = _git(path.parent, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if revision is None:
        raise UnknownSource(f"--against {name}: no file, stack or git revision has this name; {stacks_here()}")
    source = f"{name}:{path}"
    content = _git(path.parent, "cat-file", "blob", f"{revision.decode().strip()}:./{path.name}")
    if content is None:
        raise UnknownSource(f"--against {name}: the revision has no file {path}; name the other file instead")
    return source, from_content(parse(source, content), source)


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git prints; ``None`` if it fails. It never asks a remote for objects that a partial clone lacks."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**os.environ, "GIT_NO_LAZY_FETCH": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as exc:
        raise UnknownSource(f"git cannot run in {folder}: {printable(exc)}; name a file or a stack") from None
    return done.stdout if done.returncode == 0 else None
