"""Arguments are plain data: each key is documented, is one of a stack file, and five components need no other name."""

import ast
import inspect
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
from pydantic import BaseModel

import mig_fleet
from mig_fleet.components import cluster_input, layout_args
from mig_fleet.components import layouts as layouts_module
from mig_fleet.components import pool as pool_module
from mig_fleet.components.fleet import args as fleet_args
from mig_fleet.components.gpu_operator import component as operator_module
from mig_fleet.components.monitoring import declared as monitoring_module
from mig_fleet.components.probe import component as probe_module
from mig_fleet.stack_file import settings
from mig_fleet.stack_file.monitoring_settings import Monitoring as MonitoringSettings
from tests.components.fleets import CONTENTS, TOKEN, event_loop, plain_texts, run

SECTIONS: list[tuple[Any, type[BaseModel]]] = [
    (fleet_args.FleetArgs, settings.Settings),
    (fleet_args.ClusterSection, settings.Cluster),
    (fleet_args.OperatorSection, settings.Operator),
    (fleet_args.ProbeSection, settings.Probe),
    (fleet_args.RolloutSection, settings.Rollout),
    (fleet_args.SelectorSection, settings.Selector),
    (fleet_args.PoolSection, settings.Pool),
    (fleet_args.MonitoringSection, MonitoringSettings),
]
MODULES = [
    cluster_input,
    fleet_args,
    layout_args,
    layouts_module,
    monitoring_module,
    operator_module,
    pool_module,
    probe_module,
]
DENSE = {"name": "dense", "gpu": "H100-80GB", "all": {"1g.10gb": 7}}


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    with event_loop():
        yield


@pytest.mark.parametrize(("section", "model"), SECTIONS, ids=lambda each: each.__name__)
def test_a_section_has_the_keys_of_the_stack_file(section: Any, model: type[BaseModel]) -> None:
    assert section.__annotations__.keys() == model.model_fields.keys()
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert section.__required_keys__ == required


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition("components.")[2])
def test_each_key_is_documented(module: Any) -> None:
    """Of every class whose name ends with Args or Section."""
    classes = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)]
    found = [each for each in classes if each.name.endswith(("Args", "Section"))]
    assert found
    missing = []
    for each in found:
        for at, node in enumerate(each.body):
            if isinstance(node, ast.AnnAssign):
                after = each.body[at + 1] if at + 1 < len(each.body) else None
                if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
                    missing.append(f"{each.name}.{ast.unparse(node.target)}")
    assert missing == []


def test_a_program_composes_all_five_components_of_plain_data() -> None:
    cluster: Any = {"kubeconfig": CONTENTS}

    def program() -> None:
        layouts = mig_fleet.MigLayouts("layouts", {"cluster": cluster, "layouts": [DENSE]})  # type: ignore[list-item]  # DENSE has no type of its own
        monitored: Any = {"inference": {"layout": DENSE, "gpus_per_node": 8}}
        monitoring = mig_fleet.Monitoring("monitoring", {"pools": monitored, "carried": layouts.carried})
        operator = mig_fleet.GpuOperator("operator", {"metrics": monitoring.metrics})
        probe = mig_fleet.MigProbe("probe", {}, pulumi.ResourceOptions(depends_on=[operator]))
        pool: Any = {"cluster": cluster, "layout": DENSE, "gpus_per_node": 8, "nodes": ["n1"]}
        mig_fleet.Pool("inference", pool, pulumi.ResourceOptions(depends_on=[layouts, probe]))

    engine = run(program)
    wave = engine.inputs("inference-wave-0-assigned")
    assert wave["expected"]["config"] in engine.inputs("layouts-file")["file"]
    assert (wave["namespace"], wave["reportsNamespace"]) == ("gpu-operator", "mig-fleet")
    values = engine.inputs("operator-release")["values"]
    assert values["dcgmExporter"]["config"]["name"] == engine.inputs("monitoring-metrics")["metadata"]["name"]
    assert engine.inputs("operator-release")["repositoryOpts"] == {"repo": settings.Operator().repository}
    rules = engine.inputs("monitoring-rules")["data"]["mig-fleet.yaml"]
    assert wave["expected"]["config"] in rules
    shown = {urn for urn, each in engine.requests.items() if any(TOKEN in text for text in plain_texts(each.object))}
    assert shown == set()


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        ({"gpu": "H100-80GB", "all": {"1g.10gb": 7}}, "layouts[0].name: is missing"),
        ({**DENSE, "all": {"1g.11gb": 7}}, "layouts[0].all"),
        ({**DENSE, "gpu": "H1000"}, "layouts[0].gpu"),
        ({**DENSE, "all": {"3g.40gb": 3}}, "layouts[0]: "),
    ],
    ids=["no name", "an unknown profile", "an unknown GPU", "too large for the GPU"],
)
def test_a_layout_that_cannot_be_is_refused_with_its_place(layout: Any, problem: str) -> None:
    with pytest.raises(mig_fleet.FleetRefused) as refused:
        run(lambda: mig_fleet.MigLayouts("l", {"cluster": {}, "layouts": [layout]}))
    assert any(str(found).startswith(problem) for found in refused.value.problems), str(refused.value)


def test_a_strategy_that_does_not_exist_is_refused_with_those_that_do() -> None:
    args: Any = {"cluster": {}, "layout": DENSE, "gpus_per_node": 8, "nodes": ["n1"], "strategy": "mixd"}
    with pytest.raises(mig_fleet.FleetRefused, match="strategy: must be none, single, mixed; found 'mixd'"):
        run(lambda: mig_fleet.Pool("p", args))


def test_the_arguments_of_monitoring_are_checked_as_a_stack_file_is() -> None:
    args: Any = {"pools": {"p": {"layout": DENSE, "gpus_per_node": 8}}, "rules": "grafana", "exporter_job": "("}
    with pytest.raises(mig_fleet.FleetRefused) as refused:
        run(lambda: mig_fleet.Monitoring("m", args))
    assert {found.path for found in refused.value.problems} == {"rules", "exporterJob"}


def test_a_key_of_the_cluster_that_does_not_exist_is_refused_with_those_that_do() -> None:
    args: Any = {"cluster": {"kubeconfi": "x"}, "layout": DENSE, "gpus_per_node": 8, "nodes": ["n1"]}
    with pytest.raises(
        mig_fleet.FleetRefused, match=r"cluster\.kubeconfi: unknown key; the keys are kubeconfig, context, inCluster"
    ):
        run(lambda: mig_fleet.Pool("p", args))
