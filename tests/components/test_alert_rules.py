"""The alert: of each pool's own nodes, of a node that lost every slice as well, and of nobody else's."""

from typing import Any

from mig_fleet.components.monitoring import WatchedPool, alert_rules


def rules(*pools: WatchedPool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = alert_rules(pools)["groups"][0]["rules"]
    return found


def test_a_node_that_shows_no_slice_at_all_counts_as_none_and_not_as_unknown() -> None:
    (rule,) = rules(WatchedPool("train", ("n1",), 56))
    slices, _, rows = rule["expr"].partition(" or 0 * ")
    assert slices.count('GPU_I_ID!=""') == 2, "by either spelling of the exporter's label"
    assert "GPU_I_ID" not in rows and rows.endswith("!= 56")


def test_a_pool_without_nodes_or_without_slices_watches_nothing() -> None:
    assert rules(WatchedPool("joining", (), 56), WatchedPool("whole", ("n1",), 0)) == []


def test_a_dot_in_a_nodes_name_is_a_dot() -> None:
    (rule,) = rules(WatchedPool("train", ("n1.example", "n2"), 7))
    assert 'hostname=~"n1[.]example|n2"' in rule["expr"]
