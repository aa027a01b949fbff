"""Programs are neither put into nor run from a folder that another user may have filled."""

import os
from pathlib import Path

import pytest

from mig_fleet import toolchain
from mig_fleet.toolchain import private_folder
from tests.toolchain.conftest import Computer


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


@pytest.fixture
def filled(computer: Computer, etcd: toolchain.Family) -> Computer:
    """A computer whose cache has etcd."""
    computer.has_go()
    toolchain.ensure([etcd], environment=computer.environment)
    return computer


def test_no_other_user_can_read_the_cache(filled: Computer) -> None:
    assert {mode(each) for each in (filled.cache, *filled.cache.rglob("*")) if each.is_dir()} == {0o700}


def test_a_cache_that_others_can_read_is_made_private(computer: Computer, etcd: toolchain.Family) -> None:
    computer.cache.mkdir(parents=True, mode=0o755)
    computer.has_go()
    toolchain.ensure([etcd], environment=computer.environment)
    assert mode(computer.cache) == 0o700


@pytest.mark.parametrize("folder", [".", "etcd"], ids=["the cache", "the folder of a tool"])
def test_a_symbolic_link_in_place_of_a_folder_is_refused(
    folder: str, filled: Computer, etcd: toolchain.Family, tmp_path: Path
) -> None:
    linked = filled.cache / folder
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(
        toolchain.UnsafeFolder, match=f"^{linked} is a symbolic link; move it away, or set XDG_CACHE_HOME"
    ):
        toolchain.locate([etcd], environment=filled.environment)


def test_a_folder_of_another_user_is_refused(
    filled: Computer, etcd: toolchain.Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(toolchain.UnsafeFolder, match=f"^{filled.cache} belongs to the user .*, not to you"):
        toolchain.locate([etcd], environment=filled.environment)


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(toolchain.UnsafeFolder, match="is not a folder"):
        private_folder.make_private(tmp_path / "cache")
