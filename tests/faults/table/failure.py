"""What a failed wave does: halt, or go back to what was last verified; and waves that are watched or held."""

from mig_fleet.model import labels
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome, nothing
from tests.faults.ground import FIRST, MANAGER, NEW, OLD
from tests.faults.stage import LABEL, NODES, Stage
from tests.faults.table.wording import still_closed, unlike

ROLLBACK = {"on_failure": "rollback", "recovery": False}
BOTH_FAILED = tuple(f"MIG Manager failed: {node}: could not apply 'training-ea45f71e'" for node in FIRST)
BY_HAND = (
    "Recovery is off, so start MIG Manager over first: `kubectl -n gpu-operator delete pods -l app=nvidia-mig-manager"
)


def fails_until_rollback(stage: Stage) -> None:
    """Both nodes fail at the new layout; the old one is applied as ever."""
    stage.inject(NodeFault.MANAGER_FAILS, *FIRST)
    for node in FIRST:
        stage.at(LABEL + OLD.name, node, lambda node=node: stage.heal(node))


def all_lost(expected: str) -> list[str]:
    pairs = [(node, gpu) for node in FIRST for gpu in range(2)]
    return [f"layout lost: {node}: GPU {gpu}: expected {expected}, found no slices" for node, gpu in pairs]


def never_verified(stage: Stage) -> None:
    stage.inject(NodeFault.MANAGER_FAILS, *FIRST)
    stage.patch("node-2", {"metadata": {"annotations": {labels.VERIFIED_CONFIG: None}}})


def started_over(stage: Stage) -> None:
    """Until its new pod is at work, a node's label still says what the old one came to."""
    stage.heal(*FIRST)
    for node in FIRST:
        stage.ground.start_over(MANAGER, node)
    for node in FIRST:
        stage.until_at(node, NEW)


def destroyed_in_the_soak(stage: Stage) -> None:
    """At a look behind the first that finds the wave right: a look lists the reports first, so that it still agrees."""
    right = False

    def look() -> None:
        nonlocal right
        if right:
            stage.driver("node-1", lambda driver: driver.gpus[0].clear())
            return
        right = all(stage.is_at(node, NEW) for node in FIRST)
        stage.api.when("GET", NODES, look)

    stage.at(LABEL, "node-2", lambda: stage.api.when("GET", NODES, look))


FAILURE = [
    Fault(
        "a wave that is rolled back",
        "`onFailure: rollback`: MIG Manager cannot make the new layout, the old one it can",
        fails_until_rollback,
        Outcome.FAILED,
        touched=FIRST,
        reads=(
            *unlike(2, *BOTH_FAILED),
            "The wave was rolled back to 'notebooks-255390f5', read back and open again: node-1, node-2. The next "
            "update tries training-ea45f71e again.",
        ),
        rollout=ROLLBACK,
        cure="MIG Manager is mended",
        end=lambda stage: stage.heal(*FIRST),
    ),
    Fault(
        "a rollback with nothing to return to",
        "a node of the wave was never verified, as on a first update",
        never_verified,
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=(
            *unlike(2, *BOTH_FAILED),
            "The wave could not be rolled back: no layout was ever verified on node-2, so there is none to return to",
            still_closed(),
            *(f"{BY_HAND} --field-selector spec.nodeName={node}`" for node in FIRST),
        ),
        rollout=ROLLBACK,
        cure="MIG Manager is mended and started over on both nodes",
        end=started_over,
    ),
    Fault(
        "a rollback that fails as well",
        "MIG Manager fails at whatever it is told",
        lambda stage: stage.inject(NodeFault.MANAGER_CREATES_NOTHING, *FIRST),
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=(
            *unlike(2, *all_lost("2x 3g.40gb")),
            "The wave could not be rolled back: 2 of 2 nodes of train-wave-00 are not as the stack says:",
            *unlike(2, *all_lost("7x 1g.10gb"))[1:],
            still_closed(config="notebooks-255390f5"),
        ),
        rollout=ROLLBACK,
        cure="MIG Manager is mended",
        end=lambda stage: stage.heal(*FIRST),
    ),
    Fault(
        "a slice is destroyed while a wave is watched",
        "`soak`: the wave was right, and does not stay so before it is opened",
        destroyed_in_the_soak,
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=(
            "did not stay as declared while it was watched for N s:",
            "slice destroyed: node-1: GPU 0: expected 2x 3g.40gb, found no slices",
            still_closed(),
        ),
        rollout={"soak_s": 2},
        cure="whoever did it is told",
    ),
    Fault(
        "a wave that waits for a later update",
        "`maxWavesPerUpdate: 1`: the second wave keeps what it has until the next update",
        nothing,
        Outcome.GOES_ON,
        touched=FIRST,
        pool={"most_waves": 1},
        then="changes the second wave",
    ),
]
