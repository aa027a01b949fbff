"""NVIDIA's own mig-parted is found or built once."""

import pytest

from mig_fleet import toolchain


@pytest.fixture(scope="session")
def nvidia_mig_parted() -> str:
    """The path of NVIDIA's binary, the reference for what a mig-parted file may say."""
    return str(toolchain.ensure([toolchain.family("mig-parted")]).path("nvidia-mig-parted"))


@pytest.fixture(scope="session")
def mig_parted_spec() -> str:
    """The path of the program around NVIDIA's parser that prints what a mig-parted file says."""
    return str(toolchain.ensure([toolchain.family("mig-parted")]).path("mig-parted-spec"))
