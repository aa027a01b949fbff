"""Fixtures of the tests of rules."""

from pathlib import Path

import pytest

from tests.monitoring.promtool import Promtool


@pytest.fixture
def promtool(promtool: str, tmp_path: Path) -> Promtool:
    """Promtool with a folder for the files of one test. Tests that use it are marked ``engine``."""
    return Promtool(Path(promtool), tmp_path)
