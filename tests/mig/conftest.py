"""NVIDIA's own mig-parted, found or built once."""

import pytest

import toolchain


@pytest.fixture(scope="session")
def nvidia_mig_parted() -> str:
    """The path of NVIDIA's binary, the reference for what a mig-parted file may say."""
    family = toolchain.family("mig-parted")
    return str(toolchain.ensure([family]).path("nvidia-mig-parted"))
