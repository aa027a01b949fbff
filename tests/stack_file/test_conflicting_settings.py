"""Settings that cannot work together are refused without a cluster, each at its place."""

from typing import Any

import pytest

from mig_fleet.cli.findings import check_document
from mig_fleet.documents import parse
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.problems import InvalidSettings

NODES = ["rack-1", "rack-2", "rack-3", "rack-4"]


def a_pool(**changes: Any) -> dict[str, Any]:
    pool = {"gpu": "A100-80GB", "gpusPerNode": 4, "nodes": NODES, "layout": "halves", **changes}
    return {key: value for key, value in pool.items() if value is not None}


def selecting(**match_labels: str) -> dict[str, Any]:
    found = {key.replace("__", "/").replace("_", "."): value for key, value in match_labels.items()}
    return a_pool(nodes=None, selector={"matchLabels": found})


def a_stack(*, cluster: Any = None, probe: Any = None, **pools: Any) -> dict[str, Any]:
    return {
        "cluster": {"context": "lab"} if cluster is None else cluster,
        "probe": probe or {},
        "layouts": {"halves": {"gpu": "A100-80GB", "all": {"3g.40gb": 2}}},
        "pools": pools or {"serving": a_pool()},
    }


def problems(raw: dict[str, Any]) -> list[str]:
    try:
        fleet.parse(raw, "Pulumi.lab.yaml")
    except InvalidSettings as refused:
        return [str(problem) for problem in refused.problems]
    return []


@pytest.mark.parametrize(
    "cluster",
    [{"context": "lab"}, {"kubeconfig": "lab.yaml"}, {"uid": "6b0f"}, {"useCurrentContext": True}],
    ids=["a context", "a kubeconfig", "the UID of a cluster", "the current context on purpose"],
)
def test_a_stack_names_its_cluster(cluster: dict[str, Any]) -> None:
    assert problems(a_stack(cluster=cluster)) == []


@pytest.mark.parametrize("cluster", [{}, {"onUnreachable": "warn"}, {"useCurrentContext": False}, {"context": ""}])
def test_kubectls_current_context_decides_only_on_purpose(cluster: dict[str, Any]) -> None:
    assert problems(a_stack(cluster=cluster)) == [
        "cluster: must name the cluster with context, kubeconfig, inCluster or uid: otherwise kubectl's current "
        "context decides which cluster is changed; if it must, write useCurrentContext: true"
    ]


def test_a_context_and_the_current_one_exclude_each_other() -> None:
    assert problems(a_stack(cluster={"context": "lab", "useCurrentContext": True})) == [
        "cluster.useCurrentContext: cannot be true if context names one; remove one of them"
    ]


@pytest.mark.parametrize(
    ("canary", "nodes", "fits"), [(4, NODES, False), (5, NODES, False), (3, NODES, True), (1, ["rack-1"], True)]
)
def test_a_canary_is_smaller_than_its_pool(canary: int, nodes: list[str], fits: bool) -> None:
    found = problems(a_stack(serving=a_pool(nodes=nodes, rollout={"canary": canary, "maxUnavailable": 5})))
    text = "must be less than the number of nodes, 4: a canary is changed before the other nodes of its pool"
    assert found == ([] if fits else [f"pools.serving.rollout.canary: {text} (found {canary})"])


@pytest.mark.parametrize(
    ("rollout", "problem"),
    [
        ({"timeout": "20m"}, ""),
        ({"timeout": "20m", "wedgedAfter": "30m", "recovery": False}, ""),
        ({"timeout": "60m", "wedgedAfter": "30m"}, ""),
        (
            {"timeout": "30m", "wedgedAfter": "30m"},
            "wedgedAfter: must be less than the timeout, 30m: otherwise the update ends before a stuck MIG Manager is "
            "restarted; set a longer timeout, or recovery: false (found 30m)",
        ),
        (
            {"timeout": "20s"},
            "timeout: must be longer than probe.interval, 20s: no report would arrive in time (found 20s)",
        ),
    ],
)
def test_a_timeout_is_longer_than_what_it_limits(rollout: dict[str, Any], problem: str) -> None:
    found = problems(a_stack(probe={"interval": "20s"}, serving=a_pool(rollout=rollout)))
    assert found == ([f"pools.serving.rollout.{problem}"] if problem else [])


def test_a_timeout_that_no_stuck_mig_manager_outlives_is_advice_unless_it_is_far_too_short() -> None:
    assert checked(STACK.replace("layout: halves}", "layout: halves, rollout: {timeout: 25m}}", 1)) == [
        "Pulumi.lab.yaml:7: pools.serving.rollout.timeout: is not longer than wedgedAfter, 30m, so that the update "
        "ends before a stuck MIG Manager is restarted"
    ]
    assert checked(STACK.replace("halves}", "halves, rollout: {timeout: 25m, recovery: false}}")) == []
    assert checked(STACK.replace("halves}", "halves, rollout: {timeout: 20m}}")) == []


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ({"role": "gpu"}, {"role": "cpu"}, ""),
        ({"role": "gpu"}, {"zone": "a"}, ""),
        ({"role": "gpu"}, {"role": "gpu"}, "every node that it selects is in pool 'first', too"),
        ({"role": "gpu"}, {"role": "gpu", "zone": "a"}, "every node that it selects is in pool 'first', too"),
        ({"role": "gpu", "zone": "a"}, {"role": "gpu"}, "it selects every node of pool 'first', too"),
    ],
    ids=["other nodes", "perhaps", "the same", "a part", "more"],
)
def test_two_selectors_do_not_select_one_node(first: dict[str, str], second: dict[str, str], problem: str) -> None:
    found = problems(a_stack(first=selecting(**first), second=selecting(**second)))
    assert found == ([f"pools.second.selector: {problem}; a node belongs to one pool"] if problem else [])


@pytest.mark.parametrize(
    ("match_labels", "problem"),
    [
        ({"mig-fleet.dev/gpu": "A100-80GB"}, ""),
        (
            {"mig-fleet.dev/gpu": "H100-80GB"},
            "selects H100-80GB GPUs, and gpu is A100-80GB; write mig-fleet.dev/gpu: A100-80GB, or correct gpu",
        ),
        (
            {"mig-fleet.dev/gpu": "a100"},
            "no node has this label: mig-fleet writes the short name of the GPU model in the catalog; "
            "write mig-fleet.dev/gpu: A100-80GB, or correct gpu",
        ),
        (
            {"mig-fleet.dev/gpu": "RTX-PRO-6000"},
            "selects RTX-PRO-6000 GPUs, and gpu is A100-80GB; write mig-fleet.dev/gpu: A100-80GB, or correct gpu",
        ),
        ({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, ""),
        ({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb"}, ""),
        ({"nvidia.com/gpu.product": "a-board-of-tomorrow"}, ""),
        (
            {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
            "selects H100-80GB GPUs, and gpu is A100-80GB; correct one of them",
        ),
    ],
)
def test_a_selector_is_not_for_another_gpu_model_than_its_pool(match_labels: dict[str, str], problem: str) -> None:
    (key,) = match_labels
    found = problems(a_stack(serving=a_pool(nodes=None, selector={"matchLabels": match_labels})))
    assert found == ([f"pools.serving.selector.matchLabels.{key}: {problem}"] if problem else [])


@pytest.mark.parametrize(
    "key", ["nvidia.com/mig.config", "nvidia.com/mig.config.state", "nvidia.com/mig-1g.10gb.count"]
)
def test_a_selector_has_no_label_that_the_layout_changes(key: str) -> None:
    assert problems(a_stack(serving=a_pool(nodes=None, selector={"matchLabels": {key: "7"}}))) == [
        f"pools.serving.selector.matchLabels.{key}: changes with the layout, and a node would leave the pool; select "
        "by a label that stays"
    ]


@pytest.mark.parametrize(("strategy", "count"), [("mixed", 0), ("single", 1)])
def test_under_strategy_single_the_product_of_a_node_changes_with_its_layout(strategy: str, count: int) -> None:
    selector = {"matchLabels": {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}}
    stack = a_stack(serving=a_pool(nodes=None, selector=selector)) | {"operator": {"strategy": strategy}}
    assert [found.partition(": ")[2][:23] for found in problems(stack)] == ["changes with the layout"] * count


@pytest.mark.parametrize("name", ["gpu-1..gpu-9", "gpu-[1-9]", "-gpu", "a" * 254])
def test_a_node_has_a_name_that_a_node_may_have(name: str) -> None:
    (found,) = problems(a_stack(serving=a_pool(nodes=[name])))
    assert found.startswith("pools.serving.nodes[0]: must be a node name as `kubectl get nodes` prints it")


def test_a_mapping_where_a_name_is_wanted_is_named_as_one() -> None:
    found = problems(a_stack(serving=a_pool(layout={"all": {"1g.10gb": 7}})))
    assert found == ["pools.serving.layout: must be text, not a mapping"]


def checked(text: str) -> list[str]:
    return [f"{found.path}: {found.text}" for found in check_document(parse("Pulumi.lab.yaml", text.encode()))]


STACK = """\
config:
  mig-fleet:cluster: {context: lab}
  mig-fleet:layouts:
    halves: {gpu: A100-80GB, all: {3g.40gb: 2}}
  mig-fleet:pools:
    serving:
      {gpu: A100-80GB, gpusPerNode: 4, nodes: [rack-1], layout: halves}
    training:
      {gpu: A100-80GB, gpusPerNode: 4, nodes: [rack-2], layout: halves}
"""


def test_a_duplicate_is_shown_with_both_lines() -> None:
    assert checked(STACK.replace("rack-2", "rack-1")) == [
        "Pulumi.lab.yaml:9: pools.training.nodes[0]: node 'rack-1' is already in pool 'serving'; see Pulumi.lab.yaml:7"
    ]
    assert checked(STACK.replace("    training:", "    serving:"))[0] == (
        "Pulumi.lab.yaml:8: duplicate key 'serving'; the other one is in line 6"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            STACK.replace(
                "all: {3g.40gb: 2}", "gpus: [{devices: [0], disabled: true},\n {devices: [0], disabled: true}]"
            ),
            "5: layouts.halves.gpus[1].devices: duplicate GPU 0; see Pulumi.lab.yaml:4",
        ),
        (
            STACK + "  mig-fleet:prices:\n    A100-80GB: 1\n    a100-80gb: 2\n",
            "12: prices.a100-80gb: is another name of A100-80GB, which already has a price; see Pulumi.lab.yaml:11",
        ),
        (
            STACK + "  pools: {}\n",
            "10: pools: duplicate key 'pools'; with and without the prefix mig-fleet: it is the same section; see "
            "Pulumi.lab.yaml:5",
        ),
    ],
    ids=["a GPU", "a price", "a section"],
)
def test_what_stands_for_the_same_is_shown_with_both_lines(text: str, found: str) -> None:
    assert f"Pulumi.lab.yaml:{found}" in checked(text)


def test_a_layouts_mistake_is_shown_once_and_at_the_layouts_line() -> None:
    (found,) = checked(STACK.replace("3g.40gb: 2", "3g.40gb: 1, 4g.40gb: 2"))
    assert found.startswith("Pulumi.lab.yaml:4: layouts.halves: impossible on A100-80GB: ")
    assert "what fits: " in found


def test_a_pool_and_a_layout_that_do_not_match_are_shown_with_both_lines() -> None:
    first, second = checked(STACK.replace("all: {3g.40gb: 2}", "gpus: [{devices: [0], profiles: {3g.40gb: 2}}]"))
    assert first.startswith("Pulumi.lab.yaml:6: pools.serving: layout 'halves' must cover every GPU")
    assert first.endswith("; see Pulumi.lab.yaml:4")
    assert second.startswith("Pulumi.lab.yaml:8: pools.training: ")


def test_a_profile_of_another_model_asks_for_the_model() -> None:
    (found,) = checked(STACK.replace("A100-80GB", "A100-40GB"))
    assert found.startswith("Pulumi.lab.yaml:4: layouts.halves.all.3g.40gb: unknown MIG profile '3g.40gb'")
    assert "3g.40gb is a profile of A100-80GB, A800-80GB, H100-80GB and H800-80GB; is `gpu` right?" in found
