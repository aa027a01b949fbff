"""Build the sdist and the wheel of a release and check them; publishing is left to the release workflow.

    python tools/release.py --dry-run             # as `make release-check` and continuous integration do
    python tools/release.py --tag v0.1.0 --to dist

A tag must be the version in pyproject.toml, CHANGELOG.md must have an entry for it, and no changelog fragment may be
left. The wheel is built from the sdist, so that the sdist is known to be complete. Exits 1 with one sentence.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    "CHANGELOG.md",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "components",
    "mig_fleet",
    "policy",
    "pyproject.toml",
    "stacks",
    "tests",
)
"""What a build may read; tests/ is among them to show that it is left out."""
IMPORT_NAME = "mig_fleet"
_BUILD_SDIST = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"


class ReleaseRefused(Exception):
    """The release must not be published; the message names what to change."""


def version(root: Path = ROOT) -> str:
    """The version in pyproject.toml."""
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def check_tag(tag: str, root: Path = ROOT) -> None:
    """Raises :class:`ReleaseRefused` if the tag does not fit pyproject.toml and the changelog."""
    if tag != f"v{version(root)}":
        raise ReleaseRefused(f"the tag is {tag}, the version in pyproject.toml is {version(root)}")
    if not re.search(rf"^## {re.escape(version(root))}\b", (root / "CHANGELOG.md").read_text(), re.MULTILINE):
        raise ReleaseRefused(
            f"CHANGELOG.md has no entry for {version(root)}; run `towncrier build --version {version(root)}`"
        )
    if left := fragments(root):
        raise ReleaseRefused(f"changelog.d/ has fragments that no entry has collected: {', '.join(left)}")


def fragments(root: Path = ROOT) -> list[str]:
    """The names of the changelog fragments."""
    return sorted(file.name for file in (root / "changelog.d").glob("*.md") if file.name != "README.md")


def draft(root: Path = ROOT) -> str:
    """The changelog entry that the fragments make, as towncrier writes it."""
    command = ("-m", "towncrier", "build", "--draft", "--version", version(root))
    return _python(*command, cwd=root)


def copy_sources(to: Path, root: Path = ROOT) -> Path:
    """The sources with their links and without caches: a build leaves folders in the tree it runs in."""
    to.mkdir(parents=True)
    for name in SOURCES:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, to / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, to / name)
    return to


def build_sdist(source: Path, to: Path) -> Path:
    """The sdist of a tree, made by the setuptools of this environment."""
    to.mkdir(parents=True, exist_ok=True)
    _python("-c", _BUILD_SDIST, str(to.resolve()), cwd=source)
    (sdist,) = to.glob("*.tar.gz")
    return sdist


def build_wheel(source: Path, to: Path) -> Path:
    """The wheel of a tree or of an sdist, made by the setuptools of this environment."""
    flags = ("--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir")
    _python("-m", "pip", "wheel", *flags, str(to), str(source), cwd=source.parent)
    (wheel,) = to.glob("*.whl")
    return wheel


def metadata(wheel: Path) -> Metadata:
    """The metadata of a wheel. Raises an ``ExceptionGroup`` of every field that an index would refuse."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name), validate=True)


def check(wheel: Path, sdist: Path, expected: str) -> None:
    """Raises :class:`ReleaseRefused` if a user could not install these files, or would get more than the package."""
    found = metadata(wheel)
    if str(found.version) != expected:
        raise ReleaseRefused(f"{wheel.name} has version {found.version}, expected is {expected}")
    absent = [field for field in ("description", "license_expression", "project_urls") if not getattr(found, field)]
    if absent:
        raise ReleaseRefused(f"{wheel.name} has no {', '.join(absent)}")
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    if more := {top for top in tops if top != IMPORT_NAME and not top.endswith(".dist-info")}:
        raise ReleaseRefused(f"{wheel.name} has other top-level names than {IMPORT_NAME}: {', '.join(sorted(more))}")
    with tarfile.open(sdist) as packed:
        if links := [member.name for member in packed if not (member.isfile() or member.isdir())]:
            raise ReleaseRefused(f"{sdist.name} has links instead of files: {', '.join(links)}")


def build(to: Path, root: Path = ROOT) -> tuple[Path, Path]:
    """The wheel and the sdist of a tree, checked, in a folder."""
    with tempfile.TemporaryDirectory(prefix="mig-fleet-release-") as scratch:
        sdist = build_sdist(copy_sources(Path(scratch) / "tree", root), to)
    wheel = build_wheel(sdist, to)
    check(wheel, sdist, version(root))
    return wheel, sdist


def _python(*arguments: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseRefused(f"python {' '.join(arguments[:3])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tag", help="the tag that is released, such as v0.1.0")
    parser.add_argument("--to", type=Path, default=Path("dist"), help="folder for both files (default: dist)")
    parser.add_argument("--dry-run", action="store_true", help="build in a temporary folder and keep nothing")
    chosen = parser.parse_args()
    try:
        if chosen.tag:
            check_tag(chosen.tag)
        else:
            print(draft())
        with tempfile.TemporaryDirectory(prefix="mig-fleet-dist-") as scratch:
            for file in build(Path(scratch)):
                print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}")
                if not chosen.dry_run:
                    chosen.to.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, chosen.to)
    except ReleaseRefused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
