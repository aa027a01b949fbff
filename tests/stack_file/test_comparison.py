"""What differs between two stack files."""

from typing import Any

import pytest

from mig_fleet.stack_file.comparison import Change, Comparison, compare
from mig_fleet.stack_file.fleet import parse

POOL: dict[str, Any] = {"gpu": "H100-80GB", "gpusPerNode": 2, "nodes": ["n1", "n2"], "layout": "dense"}
STACK: dict[str, Any] = {
    "cluster": {"context": "c"},
    "layouts": {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}},
    "pools": {"serving": POOL},
    "prices": {"H100-80GB": 2.5},
}
DENSE, HALVES = "GPU 0-1: 7x 1g.10gb", "GPU 0-1: 2x 3g.40gb"


def a_layout(**profiles: int) -> dict[str, Any]:
    return {"gpu": "H100-80GB", "all": {name.replace("_", "."): count for name, count in profiles.items()}}


def of(changed: dict[str, Any]) -> Comparison:
    return compare(parse(STACK, "before"), parse({**STACK, **changed}, "after"))


def with_pool(**changed: Any) -> dict[str, Any]:
    pool = {key: value for key, value in {**POOL, **changed}.items() if value is not None}
    return {"pools": {"serving": pool}}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"layouts": {"dense": {"gpu": "NVIDIA H100 80GB HBM3", "all": {"2g.20gb": 0, "1g.10gb": 7}}}},
        {"operator": {"namespace": "gpu-operator"}},
        with_pool(nodes=["n2", "n1"]),
    ],
    ids=["the same text", "the same layout in other words", "a default that is written down", "another order"],
)
def test_what_means_the_same_does_not_differ(changed: dict[str, Any]) -> None:
    assert not of(changed)


def test_another_layout_of_the_same_name_changes_nodes_and_capacity_and_no_cost() -> None:
    found = of({"layouts": {"dense": a_layout(**{"3g_40gb": 2})}})
    assert found.layouts == {"dense": Change("H100-80GB: each GPU 7x 1g.10gb", "H100-80GB: each GPU 2x 3g.40gb")}
    (nodes,) = found.nodes
    assert nodes.nodes == ("n1", "n2")
    assert nodes.before and nodes.after
    assert (nodes.before.gpus, nodes.after.gpus) == (DENSE, HALVES)
    assert found.capacity == {"nvidia.com/mig-1g.10gb": Change(28, None), "nvidia.com/mig-3g.40gb": Change(None, 8)}
    assert found.cost is None


def test_a_layout_under_another_name_changes_the_config_name_and_no_slices() -> None:
    changed = {"layouts": {"small": STACK["layouts"]["dense"]}, **with_pool(layout="small")}
    found = of(changed)
    assert found.layouts.keys() == {"dense", "small"}
    (nodes,) = found.nodes
    assert nodes.before and nodes.after
    assert nodes.before.gpus == nodes.after.gpus
    assert nodes.before.config != nodes.after.config
    assert not found.capacity


def test_a_node_that_joins_and_one_that_leaves_are_two_changes() -> None:
    found = of(with_pool(nodes=["n2", "n3"]))
    joined = {change.nodes: (change.before is None, change.after is None) for change in found.nodes}
    assert joined == {("n1",): (False, True), ("n3",): (True, False)}
    assert not found.capacity, "as many nodes as before"


def test_a_node_that_moves_to_another_pool_is_one_change() -> None:
    pools = {"serving": {**POOL, "nodes": ["n1"]}, "batch": {**POOL, "nodes": ["n2"]}}
    (nodes,) = of({"pools": pools}).nodes
    assert nodes.before and nodes.after
    assert (nodes.nodes, nodes.before.pool, nodes.after.pool) == (("n2",), "serving", "batch")


def test_another_price_changes_the_cost() -> None:
    found = of({"prices": {"H100-80GB": 3.0}})
    assert found.cost == Change(10.0, 12.0)
    assert found.other_settings == ("prices.H100-80GB",)


def test_a_file_without_prices_has_no_cost_instead_of_a_cost_of_zero() -> None:
    assert of({"prices": {}}).cost == Change(10.0, None)


def test_a_pool_with_a_selector_is_compared_by_one_node() -> None:
    selected = with_pool(nodes=None, selector={"matchLabels": {"role": "gpu"}})
    found = compare(
        parse({**STACK, **selected}, "before"),
        parse(
            {**STACK, **selected, "layouts": {"dense": a_layout(**{"3g_40gb": 2})}, "prices": {"H100-80GB": 3}}, "after"
        ),
    )
    assert [change.nodes for change in found.nodes] == [("nodes with role=gpu",)]
    assert found.capacity == {}, "only the cluster knows the number of nodes"
    assert found.capacity_per_node == {
        "serving": {"nvidia.com/mig-1g.10gb": Change(14, None), "nvidia.com/mig-3g.40gb": Change(None, 4)}
    }
    assert found.cost is None
    assert found.cost_per_node == {"serving": Change(5.0, 6.0)}


def test_other_settings_are_named_by_their_path_without_their_values() -> None:
    found = of(
        {"operator": {"version": "v1", "values": {"driver": {"token": "hunter2"}}}, **with_pool(rollout={"soak": "5m"})}
    )
    assert found.other_settings == ("operator.values.driver", "operator.version", "pools.serving.rollout.soak")
    assert "hunter2" not in repr(found)


def test_a_pool_that_only_one_file_has_is_shown_by_its_nodes() -> None:
    found = of({"pools": {"serving": POOL, "batch": {**POOL, "nodes": ["n3"], "rollout": {"soak": "5m"}}}})
    assert [change.nodes for change in found.nodes] == [("n3",)]
    assert found.other_settings == ()
