"""The steps of a release up to publishing, on a tree that is ready for it and on trees that are not."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT
from tools import release
from tools.release import ReleaseRefused

VERSION = release.version()


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A tree whose changelog has an entry for its version, and no fragments."""
    (tmp_path / "changelog.d").mkdir()
    (tmp_path / "changelog.d" / "README.md").write_text("how to write one")
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {VERSION} (2026-12-01)\n")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_a_tag_that_fits_is_accepted(ready: Path) -> None:
    release.check_tag(f"v{VERSION}", ready)


def test_a_tag_of_another_version_is_refused(ready: Path) -> None:
    with pytest.raises(ReleaseRefused, match=rf"tag is v99\.0\.0, the version in pyproject\.toml is {VERSION}"):
        release.check_tag("v99.0.0", ready)


def test_a_tag_without_an_entry_in_the_changelog_is_refused(ready: Path) -> None:
    (ready / "CHANGELOG.md").write_text(f"# Changelog\n\n## {VERSION}0 (2026-12-01)\n")
    with pytest.raises(ReleaseRefused, match="no entry"):
        release.check_tag(f"v{VERSION}", ready)


def test_a_tag_with_a_fragment_that_is_left_is_refused(ready: Path) -> None:
    (ready / "changelog.d" / "7.fixed.md").write_text("A fix.\n")
    with pytest.raises(ReleaseRefused, match=r"7\.fixed\.md"):
        release.check_tag(f"v{VERSION}", ready)


def test_every_fragment_has_a_type_that_is_collected() -> None:
    entry = release.draft()
    for name in release.fragments():
        first_line = (ROOT / "changelog.d" / name).read_text().splitlines()[0]
        assert re.sub(r"\s+", " ", first_line) in re.sub(r"\s+", " ", entry), f"changelog.d/README.md: {name}"


@pytest.mark.slow
def test_a_dry_run_builds_and_checks_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "release.py"), "--dry-run", "--to", str(tmp_path / "dist")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"[0-9a-f]{{64}}  mig_fleet-{re.escape(VERSION)}-py3-none-any\.whl\n", done.stdout)
    assert re.search(rf"[0-9a-f]{{64}}  mig_fleet-{re.escape(VERSION)}\.tar\.gz\n", done.stdout)
    assert f"## {VERSION} (" in done.stdout, "without a tag it shows the entry that the fragments make"
    assert not (tmp_path / "dist").exists()


def test_a_tag_that_does_not_fit_ends_the_run_before_anything_is_built() -> None:
    command = [sys.executable, str(ROOT / "tools" / "release.py"), "--dry-run", "--tag", "v99.0.0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"the tag is v99.0.0, the version in pyproject.toml is {VERSION}\n"


@pytest.mark.slow
def test_a_wheel_with_a_second_import_name_is_refused(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(wheel, tmp_path))
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr("components/__init__.py", "")
    with pytest.raises(ReleaseRefused, match="other top-level names than mig_fleet: components"):
        release.check(copy, sdist, VERSION)


@pytest.mark.slow
def test_a_wheel_of_another_version_is_refused(wheel: Path, sdist: Path) -> None:
    with pytest.raises(ReleaseRefused, match=rf"has version {VERSION}, expected is 0\.0\.1"):
        release.check(wheel, sdist, "0.0.1")
