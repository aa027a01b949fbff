"""Which disruption budgets select a pod, as Kubernetes reads a label selector."""

from typing import Any

import pytest

from mig_fleet.observed.disruption_budgets import budgets_of

LABELS = {"app": "web", "tier": "gold"}


def selects(selector: Any) -> bool:
    spec = {} if selector == "missing" else {"selector": selector}
    return budgets_of(LABELS, [{"metadata": {"name": "guard"}, "spec": spec}]) == ["guard"]


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("missing", False),
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "iron"}}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold", "iron"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}]}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "zone", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Like"}]}, False),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "zone", "operator": "Exists"}]}, False),
    ],
)
def test_a_selector_is_read_as_kubernetes_reads_it(selector: Any, selected: bool) -> None:
    assert selects(selector) == selected


def test_all_budgets_that_select_the_pod_are_named_in_order() -> None:
    budgets = [{"metadata": {"name": name}, "spec": {"selector": {}}} for name in ("b", "a")]
    assert budgets_of(LABELS, budgets) == ["a", "b"]
