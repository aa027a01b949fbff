"""Every fault begins with a complete scenario, whatever the fault before it left."""

import pytest

from mig_fleet.observed.operands import MIG_MANAGER
from tests.faults import scenario as scenario_module
from tests.faults.scenario import NODES, Scenario

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_an_operand_without_its_daemon_set_runs_on_every_node_again_and_the_other_pods_stay(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenario_module, "SCHEDULED_S", 0.5)
    before = {node: scenario.pods(MIG_MANAGER, node) for node in NODES}
    scenario.delete_daemon_set(MIG_MANAGER)
    scenario.restart(MIG_MANAGER, "node-2")
    scenario.site.eventually(lambda: not scenario.pods(MIG_MANAGER, "node-2"), "the pod on node-2 is gone")
    scenario.reset()
    after = {node: scenario.pods(MIG_MANAGER, node) for node in NODES}
    assert after["node-2"] and after["node-2"] != before["node-2"]
    assert {node: after[node] for node in NODES if node != "node-2"} == {
        node: before[node] for node in NODES if node != "node-2"
    }
