"""What MIG Manager forgets: after its first success, a process restores the operands only when a change succeeds.

Measured with mig-parted v0.13.1 and v0.15.0.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.errors import PartedError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.fleet_file import Timing
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.node.pod import Pod
from mig_fleet.simulator.operands.reconfiguration import (
    CLIENT,
    CONFIG_FILE,
    OPERANDS,
    Process,
    Reconfiguration,
    is_client,
)
from tests.conftest import ADriver
from tests.simulator.site import LAYOUTS, config_map

DEPLOY = [f"{labels.DEPLOY_PREFIX}{name}" for name in OPERANDS]
FILE = config_map(LAYOUTS)["data"][labels.LAYOUTS_KEY].encode()


class FakeNode:
    """A node with two GPUs whose operands end at once; only what a reconfiguration reads and writes."""

    name = "n1"
    timing = Timing(apply=0, mode_change=0, operand_timeout=0.01)

    def __init__(self, driver: Driver) -> None:
        self.driver, self.faults = driver, set[Fault]()
        self.labels: dict[str, str | None] = dict.fromkeys(DEPLOY, "true")
        self.api, self.driver_file = self, self
        self.operands_end = True

    async def get(self, _path: str) -> Mapping[str, Any]:
        return {"metadata": {"labels": dict(self.labels)}}

    async def patch_labels(self, changed: Mapping[str, str | None]) -> None:
        self.labels |= changed

    @contextlib.contextmanager
    def change(self) -> Iterator[Driver]:
        yield self.driver

    def use_up(self, _fault: Fault) -> bool:
        return False

    async def wait_deleted(self, _selection: object) -> None:
        await asyncio.sleep(0 if self.operands_end else 1)

    def select(self, _selection: object) -> list[object]:
        return []

    def apply(self, config: str, process: Process) -> tuple[str | None, set[str | None]]:
        """The state, and the values of the operands' deploy labels, after one reconfiguration."""
        mounts = SimpleNamespace(read=lambda path: FILE if path == CONFIG_FILE else None)
        container = SimpleNamespace(
            node=self, pods=self, mounts=mounts, environment={}, pod=SimpleNamespace(uid="1"), log=lambda _line: None
        )
        with contextlib.suppress(PartedError, TimeoutError):
            asyncio.run(Reconfiguration(cast(Container, container), config, process).run())
        return self.labels[labels.STATE], {self.labels[key] for key in DEPLOY}


@pytest.fixture
def node(a_driver: ADriver) -> FakeNode:
    return FakeNode(a_driver(gpus=2, mig=False))


def test_the_daemon_sets_of_others_are_paused_by_their_label_on_nodes_that_have_it(node: FakeNode) -> None:
    """mig-parted v0.15.0 (pkg/mig/reconfigure/reconfigure.go); gpu-operator v26.7.0 sets the label."""
    client = labels.DEPLOY_PREFIX + CLIENT
    node.apply("dense", Process())
    assert client not in node.labels
    node.labels[client] = "true"
    node.operands_end = False
    assert node.apply("halves", Process())[0] == "pending"
    assert node.labels[client] == labels.PAUSED
    node.operands_end = True
    assert node.apply("halves", Process())[0] == "success"
    assert node.labels[client] == "true"


@pytest.mark.parametrize(
    ("owner", "selector", "awaited"),
    [("DaemonSet", CLIENT, True), ("DaemonSet", "dcgm", False), ("ReplicaSet", CLIENT, False)],
)
def test_pods_of_daemon_sets_that_select_by_that_label_are_awaited(owner: str, selector: str, awaited: bool) -> None:
    pod = Pod(
        {
            "metadata": {"ownerReferences": [{"kind": owner, "controller": True}]},
            "spec": {"nodeSelector": {labels.DEPLOY_PREFIX + selector: "true"}},
        }
    )
    assert is_client(pod) is awaited


def test_a_process_that_has_not_succeeded_yet_restores_the_operands_after_a_failure(node: FakeNode) -> None:
    assert node.apply("impossible", Process()) == ("failed", {"true"})
    assert node.apply("unknown", Process()) == ("failed", {"true"})


def test_after_a_success_a_failed_apply_leaves_the_operands_paused(node: FakeNode) -> None:
    process = Process()
    assert node.apply("dense", process) == ("success", {"true"})
    node.faults.add(Fault.MANAGER_FAILS)
    assert node.apply("halves", process) == ("failed", {labels.PAUSED})


def test_the_config_that_is_still_applied_then_reports_success_with_paused_operands(node: FakeNode) -> None:
    process = Process()
    node.apply("dense", process)
    node.faults.add(Fault.MANAGER_FAILS)
    node.apply("halves", process)
    assert node.apply("dense", process) == ("success", {labels.PAUSED})


def test_a_wait_that_times_out_leaves_pending_and_the_old_config_again_success_with_paused_operands(
    node: FakeNode,
) -> None:
    process = Process()
    node.apply("dense", process)
    node.operands_end = False
    assert node.apply("halves", process) == ("pending", {labels.PAUSED})
    assert node.apply("dense", process) == ("success", {labels.PAUSED})


def test_a_change_that_succeeds_and_a_new_process_restore_them(node: FakeNode) -> None:
    process = Process()
    node.apply("dense", process)
    node.labels |= dict.fromkeys(DEPLOY, labels.PAUSED)
    assert node.apply("halves", process) == ("success", {"true"})
    node.labels |= dict.fromkeys(DEPLOY, labels.PAUSED)
    assert node.apply("halves", process) == ("success", {labels.PAUSED})
    assert node.apply("halves", Process()) == ("success", {"true"})
