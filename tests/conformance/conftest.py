"""NVIDIA's programs on a simulated driver, and the records that `make conformance` counts."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mig_fleet import toolchain
from mig_fleet.simulator.genuine import Machine, machine, why_unavailable


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skips where the machine allows no unprivileged mount namespaces; in CI that is a failure."""
    require(why_unavailable(), os.environ)


def require(reason: str | None, environment: Mapping[str, str]) -> None:
    """Does nothing without a reason; fails with it in CI, and skips elsewhere."""
    if reason is not None and environment.get("CI") == "true":
        pytest.fail(f"the simulator cannot be compared with NVIDIA's programs: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def a_machine(namespaces: None, nvml_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One machine for all tests of a process; each test replaces its hardware."""
    with machine(tmp_path_factory.mktemp("machine"), nvml_folder) as ready:
        yield ready


@pytest.fixture(scope="session")
def programs(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the control plane and the programs of NVIDIA that run on a fleet's nodes."""
    folder = tmp_path_factory.mktemp("programs")
    for path in binaries.iterdir():
        (folder / path.name).symlink_to(path.resolve())
    for tool in toolchain.ensure([toolchain.family(name) for name in ("mig-parted", "mig-manager", "dra-plugin")]):
        assert tool.path is not None, "ensure finds every tool"
        (folder / tool.name).symlink_to(tool.path)
    return folder


@pytest.fixture(scope="session")
def mig_parted() -> str:
    """The path of NVIDIA's mig-parted, found or built by the toolchain."""
    return str(toolchain.ensure([toolchain.family("mig-parted")]).path("nvidia-mig-parted"))
