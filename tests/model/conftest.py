"""Laws are checked on the same examples each time, and without a clock; NVIDIA's own mig-parted is found or built once.

``pytest --hypothesis-profile=explore`` looks at more and other examples.
"""

import pytest
from hypothesis import HealthCheck, settings

from mig_fleet import toolchain

settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(scope="session")
def nvidia_mig_parted() -> str:
    """The path of NVIDIA's binary, the reference for what a mig-parted file may say."""
    return str(toolchain.ensure([toolchain.family("mig-parted")]).path("nvidia-mig-parted"))


@pytest.fixture(scope="session")
def mig_parted_spec() -> str:
    """The path of the program around NVIDIA's parser that prints what a mig-parted file says."""
    return str(toolchain.ensure([toolchain.family("mig-parted")]).path("mig-parted-spec"))
