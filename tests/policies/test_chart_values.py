"""The chart values of mig-fleet and the user's are merged; a contradiction is an error."""

from typing import Any

import pytest

from mig_fleet.policies.chart_values import ContradictingValue, derived_values, merged

DERIVED = derived_values("mixed", "metrics")


def test_the_users_values_are_merged_with_the_derived_ones() -> None:
    values = merged(DERIVED, {"driver": {"enabled": False}, "migManager": {"env": []}})
    assert values["mig"] == {"strategy": "mixed"}
    assert values["driver"] == {"enabled": False}
    assert values["migManager"]["env"] == []
    assert values["migManager"]["config"]["name"] == "mig-fleet-layouts"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"mig": {"strategy": "single"}},
            "mig.strategy: must be 'mixed'; remove the value; the other strategies do not distinguish slices of "
            "different profiles (found 'single')",
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
            "migManager: must be a mapping, because mig-fleet adds its own values to it (found None)",
        ),
        (
            {"daemonsets": {"tolerations": "all"}},
            "daemonsets.tolerations: must be a list of tolerations; mig-fleet adds the tolerations that it needs "
            "(found 'all')",
        ),
    ],
    ids=["strategy", "another default", "another list of metrics", "null", "not a list"],
)
def test_a_value_that_contradicts_a_derived_one_is_refused_with_its_path(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ContradictingValue) as raised:
        merged(DERIVED, given)
    assert str(raised.value) == f"operator.values.{text}"


def test_all_contradictions_are_reported_together() -> None:
    with pytest.raises(ContradictingValue) as raised:
        merged(DERIVED, {"mig": {"strategy": "single"}, "migManager": {"enabled": False}})
    assert len(raised.value.contradictions) == 2


def test_an_equal_value_is_no_contradiction() -> None:
    assert merged(DERIVED, {"mig": {"strategy": "mixed"}}) == DERIVED


def test_operands_tolerate_the_taint_of_a_node_that_is_reconfigured() -> None:
    tolerations = DERIVED["daemonsets"]["tolerations"]
    assert {"key": "mig-fleet.dev/reconfiguring", "operator": "Exists", "effect": "NoSchedule"} in tolerations


@pytest.mark.parametrize("copied", [0, 1, 3], ids=["the user's only", "with the chart's own", "with all of ours"])
def test_tolerations_of_the_user_are_kept_beside_ours(copied: int) -> None:
    ours = DERIVED["daemonsets"]["tolerations"]
    theirs = {"key": "team", "operator": "Equal", "value": "research", "effect": "NoSchedule"}
    found = merged(DERIVED, {"daemonsets": {"tolerations": [theirs, *ours[:copied]]}})["daemonsets"]["tolerations"]
    assert found == [theirs, *ours], "the user's, and each of ours once"
