"""What is right beyond doubt is accepted by the full check, too; the arguments of most programs are."""

import subprocess
import sys
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.components.args_model import mistakes
from mig_fleet.components.gpu_operator.component import GpuOperatorArgs
from mig_fleet.components.layouts import MigLayoutsArgs
from mig_fleet.components.monitoring.declared import MonitoringArgs
from mig_fleet.components.plain_args import is_plainly_right
from mig_fleet.components.pool import PoolArgs, RolloutArgs
from mig_fleet.components.probe.component import MigProbeArgs
from tests.components.fleets import event_loop
from tests.memory.fleet import DENSE

LAYOUT = {"name": "dense", "gpu": "H100-80GB", "all": {"1g.10gb": 7}}
KINDS = (PoolArgs, RolloutArgs, MigLayoutsArgs, GpuOperatorArgs, MonitoringArgs, MigProbeArgs)
RIGHT: dict[str, Any] = {
    "cluster": {},
    "layout": LAYOUT,
    "gpus_per_node": 8,
    "nodes": ["n1", "n2"],
    "layouts": [LAYOUT],
}
ROLLOUT = {"max_unavailable": "25%", "canary": 1, "soak_seconds": 60, "timeout_seconds": 3600.0, "recovery": False}

KEYS = sorted({key for kind in KINDS for key in kind.__annotations__} | {"layuot"})
SCALARS = (
    st.sampled_from(["n1", "N 1", "25%", "025%", "0%", "halt", "generated", "dra", "", 5.5, True, None, DENSE, LAYOUT])
    | st.integers(-1, 70)
    | st.floats()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*KEYS, "p"]), inner, max_size=3),
    max_leaves=4,
)


@given(kind=st.sampled_from(KINDS), changes=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3), data=st.data())
def test_what_is_right_beyond_doubt_is_right(kind: type, changes: dict[str, Any], data: st.DataObject) -> None:
    of_kind = {key: RIGHT[key] for key in kind.__annotations__ if key in RIGHT}
    left_out = data.draw(st.sampled_from(["", *of_kind]))
    args = {key: value for key, value in {**of_kind, **changes}.items() if key != left_out}
    if is_plainly_right(args, kind):
        assert mistakes(args, kind) == []


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        (PoolArgs, {key: RIGHT[key] for key in ("cluster", "layout", "gpus_per_node", "nodes")}),
        (PoolArgs, {"cluster": {}, "layout": DENSE, "gpus_per_node": 8, "nodes": ["n1"], "rollout": ROLLOUT}),
        (RolloutArgs, {"max_unavailable": 2, "on_failure": "rollback", "stuck_after_seconds": 1800}),
        (MigLayoutsArgs, {"cluster": {}, "namespace": "gpu-operator", "layouts": [LAYOUT, DENSE]}),
        (GpuOperatorArgs, {"metrics": "metrics", "values": {"driver": {"enabled": True}}, "version": None}),
    ],
)
def test_the_arguments_of_a_common_program_are_right_beyond_doubt(kind: type, args: dict[str, Any]) -> None:
    assert is_plainly_right(args, kind)


def test_an_output_is_right_where_the_arguments_say_so_and_nowhere_else() -> None:
    pool = {key: RIGHT[key] for key in ("cluster", "layout", "gpus_per_node", "nodes")}
    with event_loop():
        output = pulumi.Output.from_input("stack")
        assert is_plainly_right({**pool, "owner": output}, PoolArgs)
        assert not is_plainly_right({**pool, "gpu": output}, PoolArgs)


def test_a_program_with_pools_does_not_load_what_only_mistakes_need() -> None:
    program = (
        "import sys, mig_fleet.components.layouts, mig_fleet.components.pool; "
        "print([m for m in ('pydantic', 'kubernetes', 'mig_fleet.stack_file.settings') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", "it would take a tenth of a preview of a large fleet (benchmarks/preview.py)"
