"""The ground on which faults are played is whole each time, whatever the one before left."""

import pytest

from tests.faults import ground as ground_module
from tests.faults.ground import MANAGER, NODES, Ground

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


def test_an_operand_that_its_controller_forgot_is_back_on_every_node_and_the_other_pods_stay(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground_module, "SCHEDULED_S", 0.5)
    before = {node: ground.pods(MANAGER, node) for node in NODES}
    ground.abandon(MANAGER)
    ground.start_over(MANAGER, "node-2")
    ground.site.eventually(lambda: not ground.pods(MANAGER, "node-2"), "nobody is there")
    ground.reset()
    after = {node: ground.pods(MANAGER, node) for node in NODES}
    assert after["node-2"] and after["node-2"] != before["node-2"]
    assert {node: after[node] for node in NODES if node != "node-2"} == {
        node: before[node] for node in NODES if node != "node-2"
    }
