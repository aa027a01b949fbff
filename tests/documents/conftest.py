"""NVIDIA's own reader of layout files, built once."""

import pytest

from mig_fleet import toolchain


@pytest.fixture(scope="session")
def mig_parted_spec() -> str:
    """The path of the program around NVIDIA's parser that prints what it reads from a mig-parted file."""
    return str(toolchain.ensure([toolchain.family("mig-parted")]).path("mig-parted-spec"))
