"""The chart's values follow from the layouts, and a contradiction is an error."""

import pytest

from components.gpu_operator import ContradictingValue, derived_values, merged


def test_the_users_values_join_the_derived_ones() -> None:
    values = merged(derived_values("mixed", "metrics"), {"driver": {"enabled": False}, "migManager": {"env": []}})
    assert values["mig"] == {"strategy": "mixed"}
    assert values["driver"] == {"enabled": False}
    assert values["migManager"]["env"] == []
    assert values["migManager"]["config"]["name"] == "mig-fleet-layouts"


def test_a_value_that_contradicts_the_layouts_is_refused_with_its_path() -> None:
    with pytest.raises(ContradictingValue) as refused:
        merged(derived_values("mixed", "metrics"), {"mig": {"strategy": "single"}})
    assert str(refused.value) == (
        "operator.values.mig.strategy is 'single', but the layouts need 'mixed'; "
        "remove the value, or change the layouts that lead to it"
    )


def test_a_value_that_says_the_same_is_no_contradiction() -> None:
    assert merged({"mig": {"strategy": "mixed"}}, {"mig": {"strategy": "mixed"}}) == {"mig": {"strategy": "mixed"}}


def test_operands_tolerate_the_taint_of_a_node_under_change() -> None:
    tolerations = derived_values("mixed", "metrics")["daemonsets"]["tolerations"]
    assert {"key": "mig-fleet.dev/reconfiguring", "operator": "Exists", "effect": "NoSchedule"} in tolerations
