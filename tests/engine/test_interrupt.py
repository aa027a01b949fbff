"""One SIGINT on the real engine: every wait ends within seconds, and the next preview and update know what is left.

The signal goes to `pulumi` alone. The engine starts providers in process groups of their own, so a Ctrl-C in a terminal
reaches no more of them.
"""

import signal
import time
from types import SimpleNamespace
from typing import Any

import pytest

from mig_fleet.cli.live_status import LiveNode, live_nodes
from mig_fleet.cli.stack_state import NOT_VERIFIED, deployed_nodes, resources
from mig_fleet.model import labels
from mig_fleet.observed.operands import MIG_MANAGER, operand_pods
from mig_fleet.observed.snapshot import observe
from mig_fleet.simulator import Fault
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file.membership import cluster_args
from tests.engine.deployment import STACK, Deployment, Outcome, baseline, deploy
from tests.engine.observed_cluster import REPORTS
from tests.engine.two_layouts import change_layout, keep_layouts

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

NODE = "gpu-node-1"
LONG = {"timeout": "200s"}
WITHIN_S = 60.0
"""Far below the timeout of `LONG`, and more than a busy machine needs."""
RESTORE = f"kubectl taint nodes {NODE} {labels.TAINT}-"


@pytest.fixture
def one_node(project: Deployment) -> Deployment:
    """The baseline: a pool with one node, with the layout that the test before left, and pools that do not change."""
    config = baseline(project.fleet)
    keep_layouts(project, config, NODE)
    return deploy(project, config)


def interrupt(deployment: Deployment, *, at_config: bool) -> Outcome:
    """One SIGINT while the node is isolated, before or after it carries the new config; checks how long it takes."""
    before, sent = deployment.config_and_state()[NODE][0], []

    def is_due() -> bool:
        node = deployment.nodes()[NODE]
        is_new = node["metadata"]["labels"].get(labels.CONFIG) != before
        if not is_isolated(deployment) or is_new is not at_config:
            return False
        time.sleep(1)  # in the middle of the wait
        sent.append(time.monotonic())
        return True

    outcome = deployment.interrupt_up(is_due, [signal.SIGINT])
    assert time.monotonic() - sent[0] < WITHIN_S, outcome.text  # `pulumi cancel` is part of it
    return outcome


def is_isolated(deployment: Deployment) -> bool:
    taints = deployment.nodes()[NODE]["spec"].get("taints") or []
    return any(taint["key"] == labels.TAINT for taint in taints)


def restart_manager(deployment: Deployment) -> None:
    """MIG Manager retries nothing by itself, and the update restarts it only after `wedgedAfter`."""
    cluster = deployment.cluster
    manager = operand_pods(cluster.pods_on(NODE), "gpu-operator", MIG_MANAGER)[NODE]["metadata"]
    cluster.delete_pod("gpu-operator", manager["name"], manager["uid"])


def a_workspace(deployment: Deployment) -> Any:
    """The workspace of the commands, with this deployment's backend."""

    def environment(stack: str) -> Any:
        assert stack == STACK
        return deployment.environment

    return SimpleNamespace(pulumi=deployment.pulumi, environment=environment, state="state")


def live_node(deployment: Deployment) -> LiveNode:
    declared = fleets.from_file(deployment.folder / "stacks" / f"Pulumi.{STACK}.yaml")
    return live_nodes(declared, observe(cluster_args(declared), REPORTS, fresh=True), ())[NODE]


def test_a_wait_for_users_pods_ends_and_scheduling_is_restored(one_node: Deployment) -> None:
    before, _ = change_layout(one_node, **LONG, onUserPods="wait", onStrandedPods="warn")
    one_node.fleet.run_pod(NODE, {f"nvidia.com/mig-{before.split()[1]}": 1}, name="web", owner="Deployment")
    try:
        interrupted = interrupt(one_node, at_config=False)
    finally:
        one_node.fleet.user_pods.clear()
    assert "no node was relabelled: interrupted after " in interrupted.diagnostics, interrupted.text
    assert f"scheduling restored: {NODE}" in interrupted.diagnostics
    assert f"isolated {NODE}; to restore scheduling by hand: `{RESTORE}`" in interrupted, "as a second Ctrl-C leaves it"
    assert not is_isolated(one_node)


def test_a_wait_after_the_label_ends_and_the_next_preview_and_update_finish_it(one_node: Deployment) -> None:
    one_node.fleet.inject(NODE, Fault.MANAGER_STUCK_PENDING)
    before, after = change_layout(one_node, **LONG)
    interrupted = interrupt(one_node, at_config=True)
    assert "interrupted after " in interrupted.diagnostics, interrupted.text
    assert f"Still isolated: {NODE} (labelled inference-dense-" in interrupted.diagnostics, interrupted.text
    assert f"`{RESTORE}`" in interrupted.diagnostics
    assert "Traceback" not in interrupted, interrupted.text
    preview = one_node.preview("--diff")
    assert preview.status == 0, preview.text
    for text in ("unfinishedNodes", f"{NODE}: config inference-dense-", f"GPU 0-7: {before}", f"`{RESTORE}` restores"):
        assert text in preview, preview.text
    in_state = deployed_nodes(resources(a_workspace(one_node), STACK, remedy=""))
    assert (in_state[NODE].slices, in_state[NODE].note) == ("", NOT_VERIFIED)
    live = live_node(one_node)
    assert (live.isolated, live.state, live.slices) == (True, "pending", None)
    one_node.fleet.clear_faults(NODE)
    restart_manager(one_node)
    repaired = one_node.run("up", "--yes")  # with its preview, at whose end the engine sends `Cancel`, too
    assert repaired.status == 0, repaired.text
    assert not is_isolated(one_node)
    assert one_node.reported_slices(NODE) == {"0-7": after}
    assert "unfinishedNodes" not in one_node.preview("--diff")
    assert live_node(one_node).slices == f"GPU 0-7: {after}"
    assert deployed_nodes(resources(a_workspace(one_node), STACK, remedy=""))[NODE].slices == f"GPU 0-7: {after}"


def test_the_next_update_completes_one_that_ended_at_once_and_nothing_is_left_of_it(one_node: Deployment) -> None:
    for signals in ([signal.SIGINT, signal.SIGINT], [signal.SIGKILL]):
        one_node.fleet.inject(NODE, Fault.MANAGER_SLOW)
        _, after = change_layout(one_node, timeout="5m")
        one_node.interrupt_up(lambda: is_isolated(one_node), signals)
        one_node.fleet.clear_faults(NODE)
        repaired = one_node.up()
        assert repaired.status == 0, repaired.text
        assert not is_isolated(one_node)
        assert one_node.reported_slices(NODE) == {"0-7": after}
    one_node.prune()
    unchanged = one_node.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text
