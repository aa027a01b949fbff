"""Reviews with a value in every field, for tests of the formats."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from mig_fleet.review.review import (
    AmountChange,
    Estimate,
    GpuChange,
    NodeChange,
    Others,
    Outcome,
    Pod,
    PolicyResult,
    Review,
    Slices,
    Wave,
)

SMALL, LARGE, OFF = Slices({"1g.10gb": 7}), Slices({"3g.40gb": 1, "2g.20gb": 1, "1g.10gb": 2}), Slices()
ONE_GPU_CHANGES = (GpuChange((3,), SMALL, LARGE, True), GpuChange((0, 1, 2, 4, 5, 6, 7), SMALL, SMALL, False))
SENTENCE = "GPU 3: 7x 1g.10gb → 3g.40gb + 2g.20gb + 2x 1g.10gb; GPU 0-2, 4-7 keep their slices"
CHAT = Pod("serving/chat-5d9c", "ReplicaSet chat-5d9c", "gpu-node-1", "holds 2 nvidia.com/mig-1g.10gb")
TRAIN = Pod("research/train-a", "", "", "requests 7 nvidia.com/mig-1g.10gb", "no node offers 7 of them")


def a_wave(**changes: Any) -> Wave:
    """The first wave of a pool, in which one GPU of each node changes."""
    first = Wave(
        pool="inference",
        name="inference-a",
        nodes=("gpu-node-1", "gpu-node-2"),
        gpu="H100-80GB",
        slices=(SMALL, SMALL, SMALL, LARGE, SMALL, SMALL, SMALL, SMALL),
        on_user_pods="evict",
        on_stranded_pods="warn",
        soak_s=600,
        changes=(NodeChange(("gpu-node-1", "gpu-node-2"), SENTENCE, ONE_GPU_CHANGES),),
        notes=("2 more nodes are not listed",),
        missing=("gpu-node-9",),
        pods=(CHAT,),
        stranded=(TRAIN,),
        more_pods=3,
        more_stranded=1,
        resets=("gpu-node-1: MIG mode of GPU 3 changes; needs no GPU reset",),
        drift=("slice missing: gpu-node-1: GPU 2 has 6x 1g.10gb, must have 7x 1g.10gb",),
        unfinished=("gpu-node-2: is still isolated",),
        capacity=(AmountChange("nvidia.com/mig-1g.10gb", 112, 102),),
    )
    return replace(first, **changes)


def a_review(**changes: Any) -> Review:
    """A review of one stack with three pools; no field is empty."""
    second = a_wave(
        pool="training",
        name="training-a",
        nodes=("gpu-node-3",),
        changes=(
            NodeChange(
                ("gpu-node-3",),
                "GPU 0-7: MIG off → 7x 1g.10gb",
                (GpuChange(tuple(range(8)), OFF, SMALL, True),),
                whole_node="its probe has not reported",
            ),
        ),
        is_new=True,
        more_touched=("gpu-node-5",),
    )
    third = Wave("old", "old-a", ("gpu-node-4",), is_removed=True, is_held=True, is_unknown=True, on_delete="disable")
    whole = Review(
        project="fleet",
        stack="prod",
        outcome=Outcome.CHANGES,
        verdict="changes 3 nodes in 2 waves, evicts 4 pods, strands 2",
        refusals=("node gpu-node-9 of inference-a is not in the cluster",),
        waves=(a_wave(), second, third),
        capacity=(AmountChange("nvidia.com/mig-1g.10gb", 112, 158), AmountChange("nvidia.com/mig-3g.40gb", 0, 2)),
        cost_before=60.0,
        cost_after=66.4,
        cost_slices={"nvidia.com/mig-1g.10gb": (0.357, 0.333), "nvidia.com/mig-3g.40gb": (None, None)},
        drift=("layout file: config 'old' was removed by others",),
        notes=("config 'dense-255390f5' is removed from the layout file",),
        policies=(
            PolicyResult(
                "mig-fleet", "blast-radius", "mandatory", "inference-a", "Wave 'inference-a' must be smaller."
            ),
            PolicyResult("mig-fleet", "require-canary", "advisory", "inference-a", "Pool 'inference' must have one."),
        ),
        policies_known=True,
        warnings=("this stack uses a chart that is not pinned",),
        errors=("the server of the cluster did not answer within 10 s",),
        others=(Others("monitoring", created=1, updated=12, replaced=2, deleted=3),),
        steps=(
            "inference-a: isolate gpu-node-1, gpu-node-2",
            "inference-a: evict 4 pods",
            "training-a: label gpu-node-3",
        ),
        estimate=Estimate(480, 7200, "3 to 4 min for each wave, and a soak of 10 min"),
        undo=("Revert the commit and run `pulumi up`: it restores the layout, not the evicted pods.",),
        waiting=1,
    )
    return replace(whole, **changes)


def spoiled(value: Any, text: str) -> Any:
    """The value with this text in place of every other text in it; outcomes and numbers stay."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return text
    if isinstance(value, tuple):
        return tuple(spoiled(item, text) for item in value)
    if isinstance(value, Mapping):
        return {spoiled(key, text): spoiled(item, text) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: spoiled(getattr(value, each.name), text) for each in fields(value)})
    return value
