"""SDKs that are generated from the schema, and what compiles them."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mig_fleet import toolchain
from mig_fleet.toolchain.environment import Environment

ROOT = Path(__file__).parents[2]
TYPESCRIPT = Path(__file__).with_name("typescript")
"""The lock file of the compiler, of Pulumi's SDK and of the types of Node.js."""
NPM = "MIG_FLEET_NPM"
"""Set where npm has a registry, as in CI."""


def generate(folder: Path) -> Path:
    """The folder with ``nodejs``, ``python`` and ``go``."""
    generator = toolchain.ensure([toolchain.family("sdk-generator")]).path("sdk-generator")
    run([str(generator), str(ROOT / "plugin" / "schema.json"), str(folder)], folder)
    return folder


def run(command: Sequence[str], folder: Path, **environment: str) -> str:
    """The output of a command; an error of the test if it fails."""
    done = execute(command, folder, **environment)
    assert done.returncode == 0, f"{' '.join(command[:3])}\n{done.stdout}"
    return done.stdout


def execute(command: Sequence[str], folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def node_modules() -> Path:
    """The packages of the lock file, installed once per machine. Without npm or its registry the test is skipped;
    with the variable :data:`NPM` it fails.
    """
    lock = TYPESCRIPT / "package-lock.json"
    kept = Environment.current().cache / f"node-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not (kept / "node_modules").is_dir():
        _install(kept)
    return kept / "node_modules"


def _install(kept: Path) -> None:
    npm = shutil.which("npm") or _without("npm is not on PATH")
    fresh = kept.with_name(f".{kept.name}-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(TYPESCRIPT, fresh)
    done = execute([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], fresh)
    if done.returncode != 0:
        shutil.rmtree(fresh)
        _without(f"npm ci failed: {done.stdout}")
    if kept.exists():  # another process was faster
        shutil.rmtree(fresh)
    else:
        fresh.rename(kept)


def _without(reason: str) -> str:
    if NPM in os.environ:
        pytest.fail(f"{NPM} is set, and {reason}")
    pytest.skip(reason)


def tsc(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """TypeScript's compiler, with the packages of the lock file; it writes nothing."""
    modules = node_modules()
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(modules)
    compiler = str(modules / "typescript" / "bin" / "tsc")
    return execute(["node", compiler, "--noEmit", "--skipLibCheck", *arguments], folder)


def mypy(file: Path, packages: Path) -> "subprocess.CompletedProcess[str]":
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--follow-imports=silent",
        "--config-file=",
        "--no-error-summary",
        str(file),
    ]
    return execute(command, file.parent, MYPYPATH=str(packages), MYPY_CACHE_DIR=str(file.parent / "cache"))


def go_build(folder: Path, module: str) -> None:
    """Builds all packages of a folder with the modules and the flags of the engine, which are compiled already."""
    recipe, engine = toolchain.family("sdk-generator").recipe, ROOT / "mig_fleet" / "toolchain" / "engine"
    text = (recipe.folder / "go.mod").read_text().replace("../engine/stubs", f"{engine}/stubs")
    (folder / "go.mod").write_text(re.sub(r"^module .*$", f"module {module}", text, flags=re.MULTILINE))
    shutil.copy(engine / "go.sum", folder / "go.sum")
    settings = {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    run(["go", "build", *recipe.flags, "./..."], folder, **settings, **recipe.environment)
