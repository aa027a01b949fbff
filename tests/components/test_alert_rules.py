"""The alert of a pool: for its own nodes only, and also for a node that lost every slice."""

from typing import Any

from mig_fleet.components.monitoring import WatchedPool, alert_rules


def rules(*pools: WatchedPool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = alert_rules(pools)["groups"][0]["rules"]
    return found


def test_a_node_without_any_slice_counts_as_zero_and_not_as_unknown() -> None:
    (rule,) = rules(WatchedPool("train", ("n1",), 56))
    slices, _, rows = rule["expr"].partition(" or 0 * ")
    assert slices.count('GPU_I_ID!=""') == 2, "with both spellings of the exporter's label"
    assert "GPU_I_ID" not in rows and rows.endswith("!= 56")


def test_a_pool_without_nodes_or_without_slices_has_no_alert() -> None:
    assert rules(WatchedPool("empty", (), 56), WatchedPool("whole", ("n1",), 0)) == []


def test_a_dot_in_a_node_name_matches_only_a_dot() -> None:
    (rule,) = rules(WatchedPool("train", ("n1.example", "n2"), 7))
    assert 'hostname=~"n1[.]example|n2"' in rule["expr"]
