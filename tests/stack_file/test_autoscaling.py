"""What `mig-fleet plan` says of a pool that an autoscaler grows from zero."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from mig_fleet.cli.__main__ import main
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.autoscaling import NewNode, Platform, new_node

NODE_TEMPLATE = "k8s.io/cluster-autoscaler/node-template"


def a_stack(match_labels: dict[str, str], **operator: Any) -> dict[str, Any]:
    halves = {"devices": [0], "profiles": {"3g.20gb": 1, "1g.5gb+me": 1, "1g.5gb": 2}}
    selected = {"gpu": "A100-40GB", "gpusPerNode": 2, "selector": {"matchLabels": match_labels}}
    return {
        "cluster": {"context": "cloud"},
        "operator": operator,
        "layouts": {
            "sevenths": {"gpu": "A100-40GB", "all": {"1g.5gb": 7}},
            "two-ways": {"gpu": "A100-40GB", "gpus": [halves, {"devices": [1], "disabled": True}]},
        },
        "pools": {
            "notebooks": {**selected, "layout": "sevenths"},
            "named": {"gpu": "A100-40GB", "gpusPerNode": 2, "nodes": ["n1"], "layout": "sevenths"},
        },
    }


def the_node(match_labels: dict[str, str], layout: str = "sevenths", **operator: Any) -> NewNode:
    raw = a_stack(match_labels, **operator)
    raw["pools"]["notebooks"]["layout"] = layout
    declared = fleet.parse(raw, "Pulumi.cloud.yaml")
    selected, named = (new_node(pool, declared) for pool in declared.pools)
    assert named is None and selected is not None, "only a pool with a selector grows"
    return selected


def test_the_tags_on_aws_have_labels_resources_and_the_taint() -> None:
    assert the_node({"team": "ml"}, "two-ways").aws() == {
        f"{NODE_TEMPLATE}/label/team": "ml",
        f"{NODE_TEMPLATE}/resources/nvidia.com/gpu": "1",
        f"{NODE_TEMPLATE}/resources/nvidia.com/mig-1g.5gb": "2",
        f"{NODE_TEMPLATE}/resources/nvidia.com/mig-1g.5gb.me": "1",
        f"{NODE_TEMPLATE}/resources/nvidia.com/mig-3g.20gb": "1",
        f"{NODE_TEMPLATE}/taint/mig-fleet.dev/startup": "true:NoSchedule",
    }


def test_a_tag_on_azure_has_an_underscore_for_a_slash() -> None:
    assert the_node({"team/part_a": "ml"}).azure() == {
        "k8s.io_cluster-autoscaler_node-template_label_team_part~2a": "ml",
        "k8s.io_cluster-autoscaler_node-template_resources_nvidia.com_gpu": "0",
        "k8s.io_cluster-autoscaler_node-template_resources_nvidia.com_mig-1g.5gb": "14",
        "k8s.io_cluster-autoscaler_node-template_taint_mig-fleet.dev_startup": "true:NoSchedule",
    }


def test_cluster_api_has_one_resource() -> None:
    assert the_node({"team": "ml", "role": "gpu"}).cluster_api() == {
        "capacity.cluster-autoscaler.kubernetes.io/gpu-type": "nvidia.com/mig-1g.5gb",
        "capacity.cluster-autoscaler.kubernetes.io/gpu-count": "14",
        "capacity.cluster-autoscaler.kubernetes.io/labels": "role=gpu,team=ml",
        "capacity.cluster-autoscaler.kubernetes.io/taints": "mig-fleet.dev/startup=true:NoSchedule",
    }


def test_a_node_overlay_of_karpenter_replaces_the_whole_gpus_of_the_machine_type() -> None:
    """It selects no label that a node gets only after it has joined."""
    overlay = the_node({"team": "ml", "mig-fleet.dev/gpu": "A100-40GB"}).karpenter()
    assert overlay["spec"] == {
        "requirements": [{"key": "team", "operator": "In", "values": ["ml"]}],
        "capacity": {"nvidia.com/gpu": "0", "nvidia.com/mig-1g.5gb": "14"},
    }
    (only,) = the_node({"mig-fleet.dev/gpu": "A100-40GB"}).karpenter()["spec"]["requirements"]
    assert only == {"key": "karpenter.sh/nodepool", "operator": "In", "values": ["NODEPOOL"]}


def test_a_node_overlay_has_a_name_that_kubernetes_accepts() -> None:
    overlay = replace(the_node({"team": "ml"}), pool="Team ML_1").karpenter()
    assert overlay["metadata"] == {"name": "mig-fleet-team-ml-1"}


def test_under_strategy_single_slices_count_as_gpus() -> None:
    assert the_node({"team": "ml"}, strategy="single").resources == {"nvidia.com/gpu": 14}


@pytest.mark.parametrize(
    ("label", "platforms"),
    [
        ("eks.amazonaws.com/nodegroup", (Platform.AWS,)),
        ("kubernetes.azure.com/agentpool", (Platform.AZURE,)),
        ("capi.example.com/node-group", (Platform.CLUSTER_API,)),
        ("karpenter.sh/nodepool", (Platform.KARPENTER,)),
        ("team", tuple(Platform)),
    ],
)
def test_the_labels_of_a_selector_name_the_platform(label: str, platforms: tuple[Platform, ...]) -> None:
    assert the_node({label: "gpu"}).platforms == platforms


def test_plan_prints_what_each_platform_needs(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.cloud.yaml"
    raw = a_stack({"team": "ml"})
    path.write_text(yaml.safe_dump({"config": {f"mig-fleet:{key}": it for key, it in raw.items()}}, sort_keys=False))
    printed = CliRunner().invoke(main, ["plan", "--file", str(path)]).output
    node = the_node({"team": "ml"})
    assert f'      {NODE_TEMPLATE}/resources/nvidia.com/mig-1g.5gb: "14"\n' in printed
    assert f"      {json.dumps(node.karpenter())}\n" in printed
    assert f"nvidia.com/mig.config={node.config}\n" in printed
    assert "mig-fleet.dev/startup=true:NoSchedule\n" in printed
    selected, named = json.loads(CliRunner().invoke(main, ["plan", "--json", "--file", str(path)]).output)["pools"]
    assert selected["autoscaler"]["clusterApi"] == node.cluster_api()
    assert named["autoscaler"] is None
