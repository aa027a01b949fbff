"""Pools and waves that leave the stack while their nodes are not at rest."""

from mig_fleet.model import labels
from tests.faults.fault import Fault, Outcome
from tests.faults.ground import OLD, POOL
from tests.faults.stage import RELEASE, Stage
from tests.faults.table.wording import HOLDS, unchanged

DISABLE = {"on_delete": "disable", "timeout_s": 4}
RESTORE = {"on_delete": "restore", "timeout_s": 4}


def clear(stage: Stage) -> None:
    stage.clear()


def left_as(stage: Stage, config: str) -> None:
    """Every node has the config, and nothing of ours is left on it."""
    for name, node in stage.nodes().items():
        metadata = node["metadata"]
        ours = [key for key in metadata["annotations"] if key.startswith("mig-fleet.dev/")]
        assert (metadata["labels"][labels.CONFIG], ours) == (config, []), name
    assert stage.closed() == []


def taken_over(stage: Stage) -> None:
    stage.patch("node-1", {"metadata": {"annotations": {labels.WAVE: "another-pool-wave-0"}}})


def others_wave_is_whole(stage: Stage) -> None:
    node = stage.nodes()["node-1"]["metadata"]
    assert node["annotations"][labels.WAVE] == "another-pool-wave-0"
    assert node["labels"][labels.CONFIG] == OLD.config_name


LEAVING = [
    Fault(
        "a pool leaves while its nodes are in use",
        "`onDelete: disable` takes slices away, so it is refused like any change",
        lambda stage: stage.run("node-3", owner="Deployment"),
        Outcome.REFUSED,
        touched=(),
        reads=unchanged(f"node 'node-3' is in use: {HOLDS}; move them away, or choose onUserPods: wait or evict"),
        rollout=DISABLE,
        target=None,
        cure="the pod is moved away",
        end=clear,
        healed=lambda stage: left_as(stage, labels.ALL_DISABLED),
    ),
    Fault(
        "a pool leaves whose node is gone",
        "the machine was deleted before",
        lambda stage: stage.fleet.remove_node("node-2"),
        Outcome.GOES_ON,
        touched=("node-1", "node-3"),
        rollout={"on_delete": "retain"},
        target=None,
        healed=lambda stage: left_as(stage, OLD.config_name),
    ),
    Fault(
        "a pool leaves whose node another pool took over",
        "a node moved between pools: the wave that goes touches only nodes that are still its own",
        taken_over,
        Outcome.GOES_ON,
        touched=("node-2", "node-3"),
        rollout=RESTORE,
        target=None,
        healed=others_wave_is_whole,
    ),
    Fault(
        "a pool leaves, and the API server fails at the last mark",
        "the state keeps the wave, and the next update takes the rest off",
        lambda stage: stage.refuse(RELEASE, "node-1", 500),
        Outcome.FAILED,
        touched=POOL,
        reads=(
            "node-1: PATCH /api/v1/nodes/node-1 answered 500: Internal error occurred: etcdserver: request timed out",
        ),
        rollout={"on_delete": "retain"},
        target=None,
        cure="the API server is well again",
        healed=lambda stage: left_as(stage, OLD.config_name),
    ),
]
