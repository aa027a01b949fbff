"""Fixtures of many tests: the simulated fleet, and drivers of single nodes. What each process of the tests needs."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mig_fleet import toolchain
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.driver.gpu import new_gpu
from mig_fleet.simulator.driver.library import library
from tests.marked_files import has_no_test_for
from tests.played_again import summary

ADriver = Callable[..., Driver]

# A shell that starts pytest in the background makes it ignore SIGINT, and child processes inherit that. The tests of
# Ctrl-C need its default handler.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests start hundreds of Python processes that import this package. With this variable each of them would compile it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Go's garbage collector runs at five times the live heap instead of twice: the engine and the control planes take more
# memory, and a tenth less processor time.
os.environ.setdefault("GOGC", "400")

# Collection makes a million objects that stay; the garbage collector would look at all of them again and again.
gc.disable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whether a file need not be imported; None leaves it to others."""
    is_file = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return (is_file and has_no_test_for(collection_path.read_text("utf-8"), config.option.markexpr)) or None


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


# Laws are checked on the same examples each time, and without a clock. `pytest --hypothesis-profile=quick` looks at an
# eighth of them, `--hypothesis-profile=explore` at more and other ones.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("steady"), max_examples=12)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("steady")

LONG = (
    "tests/faults/test_faults.py",
    "tests/engine/test_supporting_objects.py",
    "tests/review/test_engine_previews.py",
    "tests/engine/test_a_rollout.py",
    "tests/faults/test_kill_points.py",
    "tests/engine/test_dra.py",
    "tests/engine/test_genuine_fleet.py",
    "tests/engine/test_interrupt.py",
    "tests/engine/test_adoption.py",
    "tests/engine/test_monitoring.py",
    "tests/engine/test_examples.py",
    "tests/engine/test_plugin.py",
    "tests/engine/test_rights.py",
    "tests/engine/test_stranding.py",
    "tests/engine/test_a_stack_on_a_fleet.py",
    "tests/engine/test_affected_gpus.py",
    "tests/packaging/test_pulumi_install.py",
    "tests/engine/test_two_stacks.py",
    "tests/engine/test_cluster_of_the_program.py",
)
"""Files that take about a minute of processor time or more, the longest first. A file runs in one process, so the last
ones must be short.
"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In parallel runs the files of :data:`LONG` start first."""
    if hasattr(config, "workerinput"):
        order = {path: number for number, path in enumerate(LONG)}
        items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(LONG)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in summary(terminalreporter.stats.get("passed", [])):
        terminalreporter.write_line(line)


@pytest.fixture(scope="module", autouse=True)
def _no_root_resource() -> None:
    """The mocks of Pulumi's SDK make one stack in a process, with the name of the first project that uses them."""
    if settings_of_pulumi := sys.modules.get("pulumi.runtime.settings"):
        settings_of_pulumi.ROOT.set(None)


@pytest.fixture(scope="session")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs of the control plane; fails the test with the remedy when one is missing."""
    found = toolchain.locate([toolchain.family(name) for name in ("kube", "etcd")])
    if found.missing:
        names = ", ".join(tool.name for tool in found.missing)
        pytest.fail(f"engine tests need {names}; run `make toolchain` to download or build them", pytrace=False)
    folder = tmp_path_factory.mktemp("binaries")
    for tool in found:
        assert tool.path is not None, "a tool that is not missing has a path"
        (folder / tool.name).symlink_to(tool.path)
    return folder


@pytest.fixture(scope="session")
def fleet(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The default fleet, running; it ends with the test run, even when that is killed."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    fleet.up(binaries, attached=True)
    yield fleet
    fleet.down()


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool, of the Prometheus that the toolchain finds, downloads or builds."""
    return str(toolchain.ensure([toolchain.family("prometheus")]).path("promtool"))


@pytest.fixture(scope="session")
def prometheus() -> Path:
    """The path of Prometheus, from the same place."""
    return toolchain.ensure([toolchain.family("prometheus")]).path("prometheus")


@pytest.fixture(scope="session")
def nvml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the simulated ``libnvidia-ml.so.1``."""
    return library(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def a_driver() -> ADriver:
    """A node's driver: by default one H100 in MIG mode, with the GPU instances ``profiles``, created in that order."""

    def make(*profiles: str, gpu: str = "H100-80GB", gpus: int = 1, mig: bool = True) -> Driver:
        driver = Driver("580.126.09", 13000, [new_gpu("a-node", index, gpu) for index in range(gpus)])
        for each in driver.gpus:
            if mig:
                each.set_mode(True)
            for profile in profiles:
                each.create(profile)
        return driver

    return make
