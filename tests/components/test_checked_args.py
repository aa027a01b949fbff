"""Arguments of the components that a program composes itself: every mistake has its key, and no traceback."""

from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

import mig_fleet
from mig_fleet.components import args_model
from mig_fleet.components.checked_args import check_args
from mig_fleet.components.gpu_operator.component import GpuOperatorArgs
from mig_fleet.components.layouts import MigLayoutsArgs
from mig_fleet.components.monitoring.declared import MonitoringArgs
from mig_fleet.components.pool import PoolArgs
from mig_fleet.components.probe.component import MigProbeArgs
from tests.components.fleets import event_loop, run

DENSE = {"name": "dense", "gpu": "H100-80GB", "all": {"1g.10gb": 7}}
POOL: dict[str, Any] = {"cluster": {}, "layout": DENSE, "gpus_per_node": 8, "nodes": ["n1"]}
LAYOUTS: dict[str, Any] = {"cluster": {}, "layouts": [DENSE]}
OPERATOR: dict[str, Any] = {"metrics": "metrics"}
MONITORING: dict[str, Any] = {"pools": {"p": {"layout": DENSE, "gpus_per_node": 8}}}


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    with event_loop():
        yield


def found(args: Any, kind: type) -> list[str]:
    with pytest.raises(mig_fleet.FleetRefused) as refused:
        check_args("it", args, kind)
    return [str(each) for each in refused.value.problems]


@pytest.mark.parametrize(
    ("kind", "args", "problem"),
    [
        (PoolArgs, {**POOL, "layuot": DENSE}, "layuot: unknown key; did you mean 'layout'?"),
        (PoolArgs, {**POOL, "gpusPerNode": 8}, "gpusPerNode: unknown key; did you mean 'gpus_per_node'?"),
        (PoolArgs, {**POOL, "gpus_per_node": "8"}, "gpus_per_node: must be a whole number such as 1 (found '8')"),
        (PoolArgs, {**POOL, "gpus_per_node": 0}, "gpus_per_node: must be greater than or equal to 1 (found 0)"),
        (PoolArgs, {**POOL, "nodes": "n1"}, "nodes: must be a list such as [a, b] (found 'n1')"),
        (PoolArgs, {**POOL, "nodes": ["n1", "n1"]}, "nodes: duplicate node 'n1' (found ['n1', 'n1'])"),
        (PoolArgs, {**POOL, "layout": {"gpu": "H100-80GB"}}, "layout.name: is missing"),
        (PoolArgs, {**POOL, "price": "2"}, "price: must be a number such as 0.5 (found '2')"),
        (PoolArgs, {**POOL, "owner": 5}, "owner: must be text; a number, true or false needs quotes (found 5)"),
        (
            PoolArgs,
            {**POOL, "rollout": {"max_unavailible": 1}},
            "rollout.max_unavailible: unknown key; did you mean 'max_unavailable'?",
        ),
        (
            PoolArgs,
            {**POOL, "rollout": {"on_failure": "stop"}},
            "rollout.on_failure: must be 'halt' or 'rollback' (found 'stop')",
        ),
        (MigLayoutsArgs, {**LAYOUTS, "layouts": "dense"}, "layouts: must be a list such as [a, b] (found 'dense')"),
        (
            GpuOperatorArgs,
            {**OPERATOR, "version": 26.7},
            "version: must be text; a number, true or false needs quotes (found 26.7)",
        ),
        (MigProbeArgs, {"interval": "2s"}, "interval: unknown key; did you mean 'interval_seconds'?"),
        (MigProbeArgs, {"interval_seconds": 0}, "interval_seconds: must be greater than 0 (found 0)"),
        (MonitoringArgs, {"pools": {"p": {"layout": DENSE}}}, "pools.p.gpus_per_node: is missing"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_would_work(kind: type, args: Any, problem: str) -> None:
    assert found(args, kind) == [problem]


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        (PoolArgs, ["cluster", "gpus_per_node", "layout", "nodes"]),
        (MigLayoutsArgs, ["cluster", "layouts"]),
        (GpuOperatorArgs, ["metrics"]),
        (MonitoringArgs, ["pools"]),
    ],
)
def test_all_keys_that_are_missing_are_named_together(kind: type, missing: list[str]) -> None:
    assert found({}, kind) == [f"{key}: is missing" for key in missing]


@pytest.mark.parametrize("args", [None, [POOL], "layout"])
def test_arguments_that_are_no_mapping_are_refused_with_the_keys(args: Any) -> None:
    assert found(args, PoolArgs)[0].startswith("args: must be a mapping; its keys: cluster, ")


@pytest.mark.parametrize("key", ["nodes", "layout", "gpus_per_node"])
def test_an_output_is_refused_where_the_value_must_be_known(key: str) -> None:
    given = {**POOL, key: pulumi.Output.from_input(POOL[key])}
    assert found(given, PoolArgs) == [f"{key}: is an output, but must be known when the program runs"]


def test_an_output_is_accepted_where_the_arguments_say_so() -> None:
    owner = pulumi.Output.from_input("stack")
    check_args("it", {**POOL, "owner": owner, "uid": owner}, PoolArgs)
    check_args("it", {**OPERATOR, "metrics": owner, "values": {"driver": {"version": owner}}}, GpuOperatorArgs)


def test_values_of_the_chart_stay_out_of_messages() -> None:
    assert "token" not in str(found({**OPERATOR, "values": ["token"], "repository": ["token"]}, GpuOperatorArgs))


@pytest.mark.parametrize(
    ("component", "args"),
    [
        (mig_fleet.Pool, {**POOL, "nodes": "n1"}),
        (mig_fleet.MigLayouts, {}),
        (mig_fleet.DeviceClasses, {"layouts": [DENSE], "claimTemplates": ["team"]}),
        (mig_fleet.GpuOperator, {}),
        (mig_fleet.MigProbe, {"interval": "2s"}),
        (mig_fleet.Monitoring, {"pools": {"p": {"layout": "dense", "gpus_per_node": 8}}}),
    ],
)
def test_each_component_checks_its_arguments_before_it_registers_anything(component: Any, args: Any) -> None:
    created: list[object] = []

    def program() -> None:
        with pytest.raises(mig_fleet.FleetRefused, match=f"{component.__name__} 'it' has"):
            created.append(component("it", args))

    engine = run(program)
    assert (created, [urn for urn in engine.requests if "mig" in urn.rpartition("::")[0]]) == ([], [])


def test_a_cluster_that_is_no_mapping_is_refused_with_its_keys() -> None:
    with pytest.raises(mig_fleet.FleetRefused, match="cluster: must be a mapping; its keys: kubeconfig, context"):
        run(lambda: mig_fleet.Pool("p", {**POOL, "cluster": "prod"}))  # type: ignore[typeddict-item]  # the mistake


def test_other_languages_read_their_own_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(args_model, "is_plugin", lambda: True)
    problems = found({**POOL, "gpus_per_node": 0, "rollout": {"soak_seconds": -1}}, PoolArgs)
    assert [problem.partition(":")[0] for problem in problems] == ["gpusPerNode", "rollout.soakSeconds"]
