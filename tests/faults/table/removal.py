"""Pools that are removed from the stack while their nodes are in use, gone, or owned by another wave."""

from mig_fleet.model import labels
from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import RELEASE, FaultRun
from tests.faults.scenario import OLD, POOL
from tests.faults.table.texts import OWNED_POD, refused

DISABLE = {"on_delete": "disable"}
RESTORE = {"on_delete": "restore"}
OTHER_WAVE = "another-pool-wave-0"


def delete_pods(run: FaultRun) -> None:
    run.delete_pods()


def assert_released(run: FaultRun, config: str) -> None:
    """Every node has the config, and nothing of ours."""
    for name, node in run.nodes().items():
        metadata = node["metadata"]
        ours = [key for key in metadata["annotations"] if key.startswith("mig-fleet.dev/")]
        assert (metadata["labels"][labels.CONFIG], ours) == (config, []), name
    assert run.isolated() == []


def give_node_to_other_wave(run: FaultRun) -> None:
    run.patch("node-1", {"metadata": {"annotations": {labels.WAVE: OTHER_WAVE}}})


def assert_owned_by_other_wave(run: FaultRun) -> None:
    node = run.nodes()["node-1"]["metadata"]
    assert node["annotations"][labels.WAVE] == OTHER_WAVE
    assert node["labels"][labels.CONFIG] == OLD.config_name


REMOVAL = [
    Fault(
        "a pool is removed while its nodes are in use",
        "`onDelete: disable` destroys slices, so it is refused like any other change",
        lambda run: run.run_pod("node-3", owner="Deployment"),
        Outcome.REFUSED,
        written=(),
        error=refused(f"node 'node-3' is in use: {OWNED_POD}; move them away, or choose onUserPods: wait or evict"),
        rollout=DISABLE,
        target=None,
        fix="the pod is moved away",
        apply_fix=delete_pods,
        check_after=lambda run: assert_released(run, labels.ALL_DISABLED),
    ),
    Fault(
        "a pool is removed after one of its nodes was deleted",
        "the machine was deleted before",
        lambda run: run.fleet.remove_node("node-2"),
        Outcome.SUCCEEDED,
        written=("node-1", "node-3"),
        rollout={"on_delete": "retain"},
        target=None,
        check_after=lambda run: assert_released(run, OLD.config_name),
    ),
    Fault(
        "a pool is removed after another pool took over one of its nodes",
        "a node moved between pools: the deleted wave changes only nodes that it still owns",
        give_node_to_other_wave,
        Outcome.SUCCEEDED,
        written=("node-2", "node-3"),
        rollout=RESTORE,
        target=None,
        check_after=assert_owned_by_other_wave,
    ),
    Fault(
        "a pool is removed, and the release of its last node fails",
        "etcd is slow; the state keeps the wave, and the next update releases the node",
        lambda run: run.fail_write(RELEASE, "node-1", 500),
        Outcome.FAILED,
        written=POOL,
        error=(
            "node-1: PATCH /api/v1/nodes/node-1 answered 500: Internal error occurred: etcdserver: request timed out",
        ),
        rollout={"on_delete": "retain"},
        target=None,
        fix="the API server works again",
        check_after=lambda run: assert_released(run, OLD.config_name),
    ),
]
