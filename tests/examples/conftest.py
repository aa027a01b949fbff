"""Runners for the scripts of the examples."""

from pathlib import Path

import pytest

from tests.examples.runner import GitHub, Runner


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path, tmp_path)


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    return GitHub(tmp_path, tmp_path)
