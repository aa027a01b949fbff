"""Other people and other tools at the same nodes."""

from mig_fleet.model import labels, parted
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome
from tests.faults.ground import FILE as LAYOUTS
from tests.faults.ground import FIRST, NAMESPACE, OLD, POOL
from tests.faults.installed import layout_file
from tests.faults.stage import CLOSE, LABEL, Stage
from tests.faults.table.wording import OPEN_AGAIN, WRITERS, still_closed, unlike

CONFIG_MAP = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{labels.LAYOUTS_CONFIG_MAP}"
EDITED = LAYOUTS.replace('"1g.10gb": 7', '"1g.10gb": 6', 1)


def relabelled(stage: Stage, node: str) -> None:
    stage.label(node, **{"mig.config": labels.ALL_DISABLED})


def open_by_hand(stage: Stage) -> None:
    for node in FIRST:
        stage.patch(node, {"spec": {"taints": None}})


def rewritten(stage: Stage, text: str) -> None:
    stage.fleet.call("patch", CONFIG_MAP, layout_file(text))


def left_closed(stage: Stage) -> None:
    taint = {"key": labels.TAINT, "value": "train-wave-00", "effect": "NoSchedule"}
    stage.patch("node-1", {"spec": {"taints": [taint]}})


PEOPLE = [
    Fault(
        "somebody relabels a node in the middle",
        "an administrator, or another tool, sets nvidia.com/mig.config by hand",
        lambda stage: (
            stage.inject(NodeFault.MANAGER_SLOW, *FIRST),
            stage.after(LABEL, "node-1", lambda: [relabelled(stage, node) for node in FIRST]),
        ),
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=(
            *unlike(
                2,
                "label changed: node-1: carries config 'all-disabled', expected 'training-ea45f71e'",
                "label changed: node-2: carries config 'all-disabled', expected 'training-ea45f71e'",
                see=(WRITERS,),
            ),
            still_closed(config="all-disabled"),
        ),
        end=lambda stage: stage.heal(*FIRST),
    ),
    Fault(
        "somebody relabelled a node between two updates",
        "the same, when nobody was looking",
        lambda stage: (
            relabelled(stage, "node-1"),
            stage.ground.site.settled("node-1", labels.ALL_DISABLED),
        ),
        Outcome.GOES_ON,
        touched=("node-1",),
        previews=(
            "drift: label changed: node-1: carries config 'all-disabled', expected 'notebooks-255390f5'",
            "drift: label changed: node-1: carries config 'all-disabled', expected 'notebooks-255390f5'",
        ),
        target=OLD,
    ),
    Fault(
        "somebody takes our taint off in the middle",
        "`kubectl taint nodes node-1 node-2 mig-fleet.dev/reconfiguring-` while the wave is under way",
        lambda stage: stage.at(LABEL, "node-1", lambda: open_by_hand(stage)),
        Outcome.GOES_ON,
        touched=POOL,
    ),
    Fault(
        "a node was left closed",
        "somebody ended an update and tells nobody",
        left_closed,
        Outcome.GOES_ON,
        touched=("node-1",),
        previews=("drift: left closed: node-1: is as declared, but still closed to new pods",),
        target=OLD,
    ),
    Fault(
        "somebody edits the layout file",
        "`kubectl edit configmap mig-fleet-layouts`; it would act at the next restart of MIG Manager",
        lambda stage: rewritten(stage, EDITED),
        Outcome.GOES_ON,
        touched=(),
        previews=("drift: ConfigMap edited: config 'notebooks-255390f5' differs",),
        target=OLD,
    ),
    Fault(
        "somebody deletes the layout file",
        "`kubectl delete configmap mig-fleet-layouts`",
        lambda stage: stage.fleet.call("delete", CONFIG_MAP),
        Outcome.GOES_ON,
        touched=(),
        previews=("drift: ConfigMap gone: mig-fleet-layouts is missing or is no mig-parted file",),
        target=OLD,
    ),
    Fault(
        "the config is not in the layout file",
        "another tool put its own file back right after we wrote ours (gpu-operator#384: operator-owned names)",
        lambda stage: stage.at(CLOSE, "node-1", lambda: (rewritten(stage, parted.dump([OLD])), stage.settle())),
        Outcome.REFUSED,
        touched=FIRST,
        reads=(
            "no node was relabelled: MIG Manager on node-1, node-2 does not see config 'training-ea45f71e' in its "
            "layout file after N s; does ConfigMap mig-fleet-layouts hold it, and does the operator mount it?",
            OPEN_AGAIN,
        ),
        cure="the other tool is stopped",
    ),
    Fault(
        "the layout file reaches the nodes late",
        "kubelets project a ConfigMap in their own time; a label that is faster ends in failed (gpu-operator#891)",
        lambda stage: (
            rewritten(stage, parted.dump([OLD])),
            stage.settle(),
            stage.inject(NodeFault.CONFIG_MAP_LATE, *FIRST),
        ),
        Outcome.GOES_ON,
        touched=POOL,
        previews=(
            "drift: ConfigMap edited: config 'seminar-255390f5' is missing",
            "drift: ConfigMap edited: config 'sparse-bf754dd4' is missing",
            "drift: ConfigMap edited: config 'training-ea45f71e' is missing",
        ),
        end=lambda stage: stage.heal(*FIRST),
    ),
]
