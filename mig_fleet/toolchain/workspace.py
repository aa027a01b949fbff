"""The folder for Pulumi in a project: ``<project>/.mig-fleet/``, ignored by git, safe to delete.

=================  ====================================================================================
``bin/``           the engine with its language host beside it, and links to the control plane
``pulumi-home/``   ``PULUMI_HOME``: the Kubernetes plugin, and the file that a login would write
``state/``         the file backend
=================  ====================================================================================

The user's own Pulumi installation, login and state are neither read nor changed.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mig_fleet.toolchain import find, pins
from mig_fleet.toolchain.find import SearchResult
from mig_fleet.toolchain.private_folder import make_private
from mig_fleet.toolchain.progress import Progress, no_progress

FOLDER: Final = ".mig-fleet"
SIMULATED_STACK: Final = "local"
"""The stack of the simulated fleet, which has no secrets."""
_HOST: Final = "pulumi-language-python"
_HOST_MODULE: Final = "mig_fleet.language_host"
_PASSPHRASE: Final = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
_COMPANIONS: Final = (_HOST, f"{_HOST}-exec", "pulumi-resource-pulumi-python")
_CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")

# `exec`: the engine's signals reach Python. `-P`: no folder of the program hides a module. Tests set MIG_FLEET_PYTHON.
_OUR_HOST: Final = """\
#!/bin/sh
python={python}
exec "${{MIG_FLEET_PYTHON:-$python}}" -P -u -m {module} "$@"
"""
# The engine passes the program's virtualenv, relative to the program.
_OUR_DYNAMIC_PROVIDER: Final = """\
#!/bin/sh
if [ -n "$PULUMI_RUNTIME_VIRTUALENV" ]; then
    exec "$PULUMI_RUNTIME_VIRTUALENV/bin/python" -u -m pulumi.dynamic "$@"
fi
python={python}
exec "${{MIG_FLEET_PYTHON:-$python}}" -u -m pulumi.dynamic "$@"
"""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The prepared folder. Run every ``pulumi`` in it with ``environment()``."""

    project: Path
    found: SearchResult

    @property
    def folder(self) -> Path:
        return self.project / FOLDER

    @property
    def bin(self) -> Path:
        """The folder with every binary: ``pulumi`` and the four of the control plane."""
        return self.folder / "bin"

    @property
    def pulumi(self) -> Path:
        return self.bin / "pulumi"

    @property
    def pulumi_home(self) -> Path:
        return self.folder / "pulumi-home"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def environment(self, base: Mapping[str, str] | None = None, stack: str = SIMULATED_STACK) -> dict[str, str]:
        """``base`` (default: this process's environment) without the user's Pulumi settings, with those of this folder.

        Every ``PULUMI_*`` is removed first; otherwise the user's token, stack name or backend would be used. Only
        :data:`SIMULATED_STACK` has the empty passphrase; any other ``stack`` may have secrets, and has the user's.
        """
        base = os.environ if base is None else base
        kept = {name: value for name, value in base.items() if not name.startswith("PULUMI_")}
        simulated = stack.rpartition("/")[2] == SIMULATED_STACK  # after organization and project
        users = {name: base[name] for name in _PASSPHRASE if name in base}
        return kept | {
            "PATH": os.pathsep.join(filter(None, (str(self.bin), kept.get("PATH", os.defpath)))),
            "PULUMI_HOME": str(self.pulumi_home),
            "PULUMI_BACKEND_URL": self.state.as_uri(),
            **({"PULUMI_CONFIG_PASSPHRASE": ""} if simulated else users),
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # Otherwise a preview shows 150 characters of a text: the flag `--show-full-output`.
            "PULUMI_OPTION_SHOW_FULL_OUTPUT": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }


def workspace(project: Path, found: SearchResult | None = None, *, progress: Progress = no_progress) -> Workspace:
    """Prepares the folder of a project, or checks it within milliseconds. ``found`` defaults to ``ensure()``.

    Raises what :func:`mig_fleet.toolchain.ensure` raises.
    """
    work = Workspace(project.resolve(), found or find.ensure(progress=progress))
    link_control_plane(project, work.found)
    for folder in (work.pulumi_home, work.state):
        make_private(folder)
    _without_logs(work.pulumi_home / "logs")
    _engine(work)
    _provider(work)
    return work


def link_control_plane(project: Path, found: SearchResult) -> Path:
    """Prepares ``bin/`` for the control plane alone, which needs no provider; returns that folder."""
    work = Workspace(project.resolve(), found)
    for folder in (work.folder, work.bin):
        make_private(folder)
    for tool in _CONTROL_PLANE:
        _link(found.path(tool), work.bin / tool)
    return work.bin


def _without_logs(logs: Path) -> None:
    """Each command of the engine writes some 6 MB of debug log here, which costs a preview nearly half of the engine's
    processor time, and no setting turns this off (pulumi v3.259.0, pkg/logging/encrypted.go). With a file in place of
    the folder it continues without a log.
    """
    if not logs.is_file():
        shutil.rmtree(logs, ignore_errors=True)
        logs.touch()


def _engine(work: Workspace) -> None:
    """The engine searches for language hosts beside its own executable, so it is a file in this folder, not a link."""
    source = work.found.path("pulumi")
    _place(source, work.pulumi)
    official = source.parent / _HOST
    if official.is_file() and not _is_ours(official):
        for name in _COMPANIONS:
            if (source.parent / name).is_file():
                _place(source.parent / name, work.bin / name)
        return
    (work.bin / f"{_HOST}-exec").unlink(missing_ok=True)
    python = shlex.quote(sys.executable)
    _write(work.bin / _HOST, _OUR_HOST.format(python=python, module=_HOST_MODULE))
    _write(work.bin / "pulumi-resource-pulumi-python", _OUR_DYNAMIC_PROVIDER.format(python=python))


def _is_ours(host: Path) -> bool:
    """Whether a language host is ours: the ``bin`` of another workspace may be on PATH, and has no official host."""
    return host.stat().st_size < 1024 and _HOST_MODULE in host.read_text(errors="replace")


def _provider(work: Workspace) -> None:
    """Does the same as ``pulumi plugin install --file``, without a second copy of 161 MB."""
    version = pins.family("provider").version
    folder = work.pulumi_home / "plugins" / f"resource-kubernetes-v{version}"
    folder.mkdir(parents=True, exist_ok=True)
    _place(work.found.path("pulumi-resource-kubernetes"), folder / "pulumi-resource-kubernetes")


def _place(source: Path, target: Path) -> None:
    """A file at ``target`` with the content of ``source``: a hard link if possible, otherwise a copy."""
    if target.exists():
        old, new = target.stat(), source.stat()
        if (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns):
            return
    fresh = target.with_name(f".{target.name}-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        os.link(source, fresh)
    except OSError:  # another disk, or a file of another user
        shutil.copy2(source, fresh)
    fresh.replace(target)


def _link(source: Path, target: Path) -> None:
    if target.is_symlink() and target.readlink() == source:
        return
    fresh = target.with_name(f".{target.name}-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(source)
    fresh.replace(target)


def _write(target: Path, text: str) -> None:
    """Writes a script. It is replaced as a whole, so that a running engine never reads half of it."""
    if target.is_file() and target.read_text(errors="replace") == text:
        return
    fresh = target.with_name(f".{target.name}-{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.replace(target)
