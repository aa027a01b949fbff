"""The chart's values have to fit; the user's own join them, and a contradiction is an error."""

from typing import Any

import pytest

from mig_fleet.policies.chart_values import ContradictingValue, derived_values, merged

OURS = derived_values("mixed", "metrics")


def test_the_users_values_join_the_derived_ones() -> None:
    values = merged(OURS, {"driver": {"enabled": False}, "migManager": {"env": []}})
    assert values["mig"] == {"strategy": "mixed"}
    assert values["driver"] == {"enabled": False}
    assert values["migManager"]["env"] == []
    assert values["migManager"]["config"]["name"] == "mig-fleet-layouts"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"mig": {"strategy": "single"}},
            "mig.strategy: must be 'mixed'; remove the value; the other strategies do not tell slices apart "
            "(found 'single')",
        ),
        (
            {"migManager": {"config": {"default": "all-1g.10gb"}}},
            "migManager.config.default: must be 'all-disabled'; remove the value (found 'all-1g.10gb')",
        ),
        (
            {"dcgmExporter": {"config": {"name": "mine"}}},
            "dcgmExporter.config.name: must be 'metrics'; remove the value; dcgm-exporter reads the list of metrics "
            "that mig-fleet writes (found 'mine')",
        ),
        (
            {"migManager": None},
            "migManager: should be a mapping, because mig-fleet adds values of its own to it (found None)",
        ),
        (
            {"daemonsets": {"tolerations": "all"}},
            "daemonsets.tolerations: should be a list of tolerations; those that mig-fleet needs are added to it "
            "(found 'all')",
        ),
    ],
    ids=["strategy", "another default", "another list of metrics", "nothing", "no list"],
)
def test_a_value_that_cannot_stand_beside_ours_is_refused_with_its_path(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ContradictingValue) as refused:
        merged(OURS, given)
    assert str(refused.value) == f"operator.values.{text}"


def test_all_contradictions_come_at_once() -> None:
    with pytest.raises(ContradictingValue) as refused:
        merged(OURS, {"mig": {"strategy": "single"}, "migManager": {"enabled": False}})
    assert len(refused.value.contradictions) == 2


def test_a_value_that_says_the_same_is_no_contradiction() -> None:
    assert merged(OURS, {"mig": {"strategy": "mixed"}}) == OURS


def test_operands_tolerate_the_taint_of_a_node_under_change() -> None:
    tolerations = OURS["daemonsets"]["tolerations"]
    assert {"key": "mig-fleet.dev/reconfiguring", "operator": "Exists", "effect": "NoSchedule"} in tolerations


@pytest.mark.parametrize("copied", [0, 1, 3], ids=["theirs alone", "with the chart's own", "with all of ours"])
def test_nodes_with_a_taint_of_their_own_are_served(copied: int) -> None:
    ours = OURS["daemonsets"]["tolerations"]
    theirs = {"key": "team", "operator": "Equal", "value": "research", "effect": "NoSchedule"}
    found = merged(OURS, {"daemonsets": {"tolerations": [theirs, *ours[:copied]]}})["daemonsets"]["tolerations"]
    assert found == [theirs, *ours], "theirs, and each of ours once"
