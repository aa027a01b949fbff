"""The wheel and the sdist, built once per test run from a copy of the tree."""

from pathlib import Path

import pytest

from tools import release

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release.copy_sources(tmp_path_factory.mktemp("release") / "tree")


@pytest.fixture(scope="session")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release.build_wheel(tree, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release.build_sdist(tree, tmp_path_factory.mktemp("sdist"))
