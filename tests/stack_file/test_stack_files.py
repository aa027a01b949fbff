"""A stack file: all mistakes are reported together, each with its path, what was found and what would work."""

from pathlib import Path
from typing import Any

import pytest

from mig_fleet.documents import DocumentError
from mig_fleet.stack_file import fleet, summary
from mig_fleet.stack_file.conflicting_settings import doubtful_settings
from mig_fleet.stack_file.problems import InvalidSettings

STACKS = Path("stacks")


def a_stack(**changes: Any) -> dict[str, Any]:
    """A stack file that works."""
    return {
        "cluster": {"context": "c"},
        "layouts": {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}},
        "pools": {"inference": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}},
        **changes,
    }


def problems(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        fleet.parse(raw, "Pulumi.test.yaml")
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize("path", sorted(STACKS.glob("Pulumi.*.yaml")), ids=lambda p: p.name)
def test_every_stack_file_of_the_project_is_valid_and_leaves_nothing_to_advise(path: Path) -> None:
    found = fleet.from_file(path)
    assert found.pools
    assert list(doubtful_settings(found.settings)) == []


def test_the_local_stack_has_four_nodes_with_these_layouts() -> None:
    local = fleet.from_file(STACKS / "Pulumi.local.yaml")
    layouts = {node: pool.layout.name for pool in local.pools for node in pool.settings.nodes or ()}
    assert layouts == {
        "gpu-node-1": "inference-dense",
        "gpu-node-2": "mixed-strategy",
        "gpu-node-3": "all-disabled",
        "gpu-node-4": "training-and-inference",
    }
    assert local.strategy == "mixed"


def test_mistakes_of_every_kind_are_reported_together() -> None:
    raw = a_stack(
        layouts={
            "dense": {"gpu": "H100-80GB", "all": {"1g.1gb": 7}},
            "greedy": {"gpu": "H100-80GB", "all": {"3g.40gb": 2, "1g.10gb": 1}},
        },
        pools={
            "a": {"gpu": "H100-80GB", "gpusPerNode": 0, "nodes": ["n1"], "layuot": "dense", "layout": "dense"},
            "b": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n2"], "layout": "gready"},
            "c": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n3"], "layout": "greedy"},
        },
        operator={"timeout": "soon"},
    )
    found = problems(raw)
    text = "\n".join(found)
    assert "layouts.dense.all.1g.1gb: " in text
    assert "did you mean '1g.10gb'" in text
    assert "pools.a.gpusPerNode: must be greater than or equal to 1 (found 0)" in found
    assert "pools.a.layuot: unknown key; did you mean 'layout'?" in found
    assert "pools.b.layout: there is no layout 'gready'; did you mean 'greedy'?" in found
    assert "operator.timeout: must be a duration such as 90s, 45m or 2h (found 'soon')" in found
    assert any(problem.startswith("layouts.greedy: impossible on H100-80GB: 3g.40gb") for problem in found), text


def test_a_mistake_in_one_layout_does_not_hide_that_another_is_missing() -> None:
    raw = a_stack(
        layouts={"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}, "dense-wide": {"gpu": "H100-80GB", "al": {}}},
        pools={"p": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense-w"}},
    )
    assert any(problem.startswith("pools.p.layout: there is no layout 'dense-w'") for problem in problems(raw))


def test_the_message_counts_and_names_the_file() -> None:
    with pytest.raises(InvalidSettings) as refused:
        fleet.parse(a_stack(prizes={}), "Pulumi.dev.yaml")
    assert str(refused.value) == ("Pulumi.dev.yaml has 1 problem(s):\n  prizes: unknown key; did you mean 'prices'?")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"pools": {"p": {"gpu": "H100-80GB", "gpusPerNode": "8", "nodes": ["n1"], "layout": "dense"}}}, "gpusPerNode"),
        ({"pools": {"p": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": [], "layout": "dense"}}}, "nodes"),
        ({"pools": {"p": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["N 1"], "layout": "dense"}}}, "nodes[0]"),
        ({"pools": {"p": {"gpu": "H100-81GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}}}, "gpu"),
        ({"pools": {"p": {"gpu": "A100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}}}, ""),
        ({"pools": {"p": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"]}}}, "layout"),
    ],
    ids=["a number as text", "no nodes", "not a node name", "no such GPU", "a layout of another GPU", "no layout"],
)
def test_a_pool_with_one_mistake_has_exactly_one_problem(changes: dict[str, Any], problem: str) -> None:
    (found,) = problems(a_stack(**changes))
    assert found.startswith(f"pools.p.{problem}: " if problem else "pools.p: "), found


def test_a_node_belongs_to_one_pool() -> None:
    pool = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}
    (found,) = problems(a_stack(pools={"a": pool, "b": pool}))
    assert found == "pools.b.nodes[0]: node 'n1' is already in pool 'a'"


def test_a_file_without_settings_says_where_to_look(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.empty.yaml"
    path.write_text("nothing: here\n")
    with pytest.raises(DocumentError, match=r"has no `config:` section; see stacks/Pulumi.local.yaml"):
        fleet.from_file(path)


def test_a_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.broken.yaml"
    path.write_bytes(b"config: {\xff\n")
    with pytest.raises(DocumentError, match=r"Pulumi\.broken\.yaml:1: is not UTF-8"):
        fleet.from_file(path)


def test_a_layout_that_no_pool_uses_must_be_possible_too() -> None:
    layouts = {**a_stack()["layouts"], "greedy": {"gpu": "H100-80GB", "all": {"3g.40gb": 2, "1g.10gb": 1}}}
    (found,) = problems(a_stack(layouts=layouts))
    assert found.startswith("layouts.greedy: impossible on H100-80GB: 3g.40gb")


def test_a_layout_of_a_model_that_no_device_filter_can_select_is_refused() -> None:
    (found,) = problems(a_stack(layouts={**a_stack()["layouts"], "thor": {"gpu": "Thor", "all": {"1g.0gb": 1}}}))
    assert found.startswith("layouts.thor.gpu: Thor iGPU (Jetson T5000) has no PCI device id")


def test_the_strategy_stays_the_same_when_the_last_layout_with_mig_is_removed() -> None:
    whole = fleet.parse(a_stack(layouts={"dense": {"gpu": "H100-80GB", "disabled": True}}), "x")
    assert whole.strategy == fleet.parse(a_stack(), "x").strategy == "mixed"


def test_probes_do_not_write_to_the_namespace_of_the_layout_file() -> None:
    (found,) = problems(a_stack(probe={"namespace": "gpu-operator"}))
    assert found == (
        "probe.namespace: 'gpu-operator' holds MIG Manager's layout file; give the probes a namespace of their own"
    )


def test_a_duration_of_zero_is_refused() -> None:
    (found,) = problems(a_stack(probe={"interval": "0s"}))
    assert found == "probe.interval: must be greater than 0s (found '0s')"


def test_a_duplicate_key_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.duplicate.yaml"
    path.write_text("config:\n  mig-fleet:prices: {}\n  mig-fleet:prices: {}\n")
    with pytest.raises(DocumentError, match=":3: duplicate key 'mig-fleet:prices'"):
        fleet.from_file(path)


@pytest.mark.parametrize("spelling", ["H100-80GB", "NVIDIA H100 80GB HBM3", "nvidia-h100-80gb-hbm3", "0x233010DE"])
def test_a_price_finds_its_pools_however_the_gpu_is_spelled(spelling: str) -> None:
    priced = fleet.parse(a_stack(prices={spelling: 2.5}), "x")
    assert summary.cost(priced) == {
        "perHourUsd": 20.0,
        "pools": {"inference": {"perHourUsd": 20.0, "perSliceUsd": {"1g.10gb": 0.357}}},
    }


@pytest.mark.parametrize("price", [float("inf"), float("nan"), 0, -1, "2.50", True, None, [2.5]])
def test_a_price_is_a_number_above_zero(price: object) -> None:
    (found,) = problems(a_stack(prices={"H100-80GB": price}))
    assert found.startswith("prices.H100-80GB: must be ")


def test_two_prices_for_one_gpu_are_a_mistake() -> None:
    (found,) = problems(a_stack(prices={"H100-80GB": 2.5, "0x233010DE": 3.5}))
    assert found.startswith("prices.0x233010DE: is another name of H100-80GB")


def test_slices_of_one_profile_with_different_costs_are_reported_with_their_mean() -> None:
    groups = [{"devices": [0], "profiles": {"3g.40gb": 2}}, {"devices": [1], "profiles": {"4g.40gb": 1, "3g.40gb": 1}}]
    pools = {"p": {"gpu": "H100-80GB", "gpusPerNode": 2, "nodes": ["n"], "layout": "mixed"}}
    layouts = {"mixed": {"gpu": "H100-80GB", "gpus": groups}}
    (cost,) = summary.cost(fleet.parse(a_stack(layouts=layouts, pools=pools, prices={"H100-80GB": 3.0}), "x"))[
        "pools"
    ].values()
    per_slice = cost["perSliceUsd"]
    assert per_slice == {"3g.40gb": 1.467, "4g.40gb": 1.6}
    assert 3 * per_slice["3g.40gb"] + per_slice["4g.40gb"] == pytest.approx(2 * 3.0, abs=0.005), "both GPUs are full"
